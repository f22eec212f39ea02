#pragma once

#include <doctest/doctest.h>

#include <string>
#include <variant>
#include <vector>

#include "base/text.h"
#include "coordination/hub.h"
#include "coordination/member.h"

/// Actions of a member and a hub as short texts, so that a test reads as a story. Heartbeats are
/// left out.
namespace trainit::coordination::testing {

inline std::string in_round(int round) {
  return round == 0 ? "" : ", round " + std::to_string(round);
}

inline std::string text_of(const Message& message) {
  if (const auto* stop = std::get_if<message::Stop>(&message))
    return "stop (" + stop->host + " " + stop->text + ")";
  if (const auto* began = std::get_if<message::StopBegan>(&message))
    return "stop began (" + began->text + ")";
  if (const auto* outcome = std::get_if<message::Outcome>(&message)) {
    return "outcome " + std::to_string(outcome->verdict.exit_code) + " " + outcome->verdict.failure;
  }
  if (const auto* agreed = std::get_if<message::Agreed>(&message)) {
    const int round = agreed->agreement.round;
    return "agreed " + std::to_string(agreed->agreement.first_rank) + " of " +
           std::to_string(agreed->agreement.world_size) +
           (round == 0 ? "" : ", round " + std::to_string(round));
  }
  if (const auto* again = std::get_if<message::Again>(&message)) {
    return "again " + std::to_string(again->round) + " after " +
           human_seconds(sys::in_seconds(again->delay)) + ", " + again->verdict.failure;
  }
  if (const auto* ready = std::get_if<message::Ready>(&message))
    return "ready " + std::to_string(ready->round);
  if (const auto* joined = std::get_if<message::Joined>(&message))
    return "joined by " + std::to_string(joined->pid) + in_round(joined->round);
  if (const auto* came = std::get_if<message::Came>(&message))
    return "came " + std::to_string(came->rank) + in_round(came->round);
  if (const auto* late = std::get_if<message::Late>(&message))
    return "late after " + human_seconds(sys::in_seconds(late->after)) + in_round(late->round);
  if (const auto* waiting = std::get_if<message::Waiting>(&message))
    return "waiting for " + waiting->text;
  constexpr const char* kNames[] = {"challenge", "answer",     "welcome", "refusal", "heartbeat",
                                    "report",    "stop began", "ended",   "heard",   "waiting",
                                    "agreed",    "stop",       "outcome", "leave",   "again",
                                    "ready",     "joined",     "came",    "late"};
  return kNames[message.index()];
}

struct Teller {
  std::string operator()(const member_action::Send& what) const { return text_of(what.message); }
  std::string operator()(const member_action::Disconnect&) const { return "disconnect"; }
  std::string operator()(const member_action::Begin& what) const {
    const int round = what.agreement.round;
    return "begin " + std::to_string(what.agreement.first_rank) +
           (round == 0 ? "" : ", round " + std::to_string(round));
  }
  std::string operator()(const member_action::Wait& what) const { return "wait: " + what.text; }
  std::string operator()(const member_action::GiveUp& what) const {
    return "give up with " + std::to_string(what.error.exit_code) + ": " + what.error.message;
  }
  std::string operator()(const member_action::StopWorkers& what) const {
    return "stop workers: " + what.why.host + " " + what.why.text;
  }
  std::string operator()(const member_action::Conclude& what) const {
    return "conclude with " + std::to_string(what.verdict.exit_code) + ": " + what.verdict.failure;
  }
  std::string operator()(const member_action::BeginAgain& what) const {
    return "begin again " + std::to_string(what.what.round);
  }
  std::string operator()(const member_action::LookFor& what) const {
    return "look for " + std::to_string(what.pid);
  }
  std::string operator()(const member_action::TellLate& what) const {
    return "tell who is late after " + human_seconds(sys::in_seconds(what.after));
  }
  std::string operator()(const hub_action::Send& what) const {
    return std::to_string(what.host) + ": " + text_of(what.message);
  }
  std::string operator()(const hub_action::Disconnect& what) const {
    return "disconnect " + std::to_string(what.host);
  }
  std::string operator()(const hub_action::Tell& what) const { return "tell: " + what.text; }
  std::string operator()(const hub_action::Finish&) const { return "finish"; }
  std::string operator()(const hub_action::Came& what) const {
    return "rank " + std::to_string(what.rank) + " came";
  }
};

template <class Actions>
std::vector<std::string> told(const Actions& actions) {
  std::vector<std::string> texts;
  for (const auto& action : actions) {
    std::string text = std::visit(Teller(), action);
    if (!text.ends_with("heartbeat")) texts.push_back(std::move(text));
  }
  return texts;
}

}  // namespace trainit::coordination::testing

template <>
struct doctest::StringMaker<std::vector<std::string>> {
  static doctest::String convert(const std::vector<std::string>& texts) {
    return ("\n  " + trainit::join(texts, "\n  ")).c_str();
  }
};
