#pragma once

#include <signal.h>

#include <chrono>
#include <string>
#include <vector>

#include "supervise/job_machine.h"
#include "sys/signals.h"

/// Events and actions of the job machine as short texts, so that a test reads as a story.
namespace trainit::supervise::testing {

inline std::string name_of(Timer timer) {
  constexpr const char* kNames[] = {"leaders", "groups", "linger", "kill", "drain"};
  return kNames[static_cast<int>(timer)];
}

inline std::string name_of(StopReason reason) {
  constexpr const char* kNames[] = {"none",  "platform",  "worker failed",
                                    "store", "host lost", "set-up failed"};
  return kNames[static_cast<int>(reason)];
}

struct Namer {
  std::string operator()(const action::Spawn& what) const {
    return "spawn " + std::to_string(what.worker);
  }
  std::string operator()(const action::SignalLeaders& what) const {
    return "leaders " + sys::signal_name(what.signal);
  }
  std::string operator()(const action::SignalGroups& what) const {
    return "groups " + sys::signal_name(what.signal);
  }
  std::string operator()(const action::SignalTree& what) const {
    return "tree " + sys::signal_name(what.signal);
  }
  std::string operator()(const action::ArmTimer& what) const {
    const auto delay = std::chrono::duration_cast<std::chrono::milliseconds>(what.delay);
    return name_of(what.timer) + " timer " + std::to_string(delay.count());
  }
  std::string operator()(const action::CancelTimer&) const { return "no timer"; }
  std::string operator()(const action::TellPeers& what) const {
    return "tell peers: " + name_of(what.reason);
  }
  std::string operator()(const action::EndHelpers&) const { return "end helpers"; }
  std::string operator()(const action::AwaitEmptyTree&) const { return "tree?"; }
  std::string operator()(const action::AwaitDrain&) const { return "drain?"; }
  std::string operator()(const action::Finish&) const { return "finish"; }

  std::string operator()(const event::Agreed&) const { return "agreed"; }
  std::string operator()(const event::Spawned& what) const {
    return "spawned " + std::to_string(what.worker);
  }
  std::string operator()(const event::SpawnFailed& what) const {
    return "spawn failed " + std::to_string(what.worker) + " at stage " +
           std::to_string(static_cast<int>(what.error.stage));
  }
  std::string operator()(const event::Exited& what) const {
    return "worker " + std::to_string(what.worker) + " " + describe(what.status);
  }
  std::string operator()(const event::StopRequested& what) const {
    return "stop by " + sys::signal_name(what.signal);
  }
  std::string operator()(const event::StoreEnded& what) const {
    return "store " + describe(what.status);
  }
  std::string operator()(const event::PeersStop& what) const {
    return "peers stop: " + name_of(what.reason);
  }
  std::string operator()(const event::TimerFired& what) const {
    return name_of(what.timer) + " timer fired";
  }
  std::string operator()(const event::TreeEmpty&) const { return "tree empty"; }
  std::string operator()(const event::TreeNotEmpty&) const { return "tree not empty"; }
  std::string operator()(const event::OutputDrained&) const { return "drained"; }
};

inline std::string name_of(const Event& event) { return std::visit(Namer(), event); }

/// "leaders SIGTERM, leaders timer 7500"; empty for no action.
inline std::string names_of(const std::vector<Action>& actions) {
  std::string text;
  for (const Action& action : actions) {
    if (!text.empty()) text += ", ";
    text += std::visit(Namer(), action);
  }
  return text;
}

}  // namespace trainit::supervise::testing
