#include "supervise/job_machine.h"

#include <signal.h>

#include <algorithm>

namespace trainit::supervise {
namespace {

/// A process that forks faster than it is killed, or one that the kernel finishes late, gets the
/// KILL again; one in uninterruptible sleep never goes, and the job must end all the same.
constexpr int kKillRounds = 10;

bool went_well(const WorkerEnd& worker) {
  return worker.status && worker.status->success() && !worker.spawn_error;
}

}  // namespace

bool JobEnd::success() const {
  return !workers.empty() && std::all_of(workers.begin(), workers.end(), went_well);
}

JobMachine::JobMachine(int workers, Limits limits) : limits_(limits) {
  end_.workers.resize(static_cast<std::size_t>(workers));
}

std::vector<Action> JobMachine::on(const Event& event, TimePoint now) {
  Actions out;
  std::visit([&](const auto& what) { handle(what, now, out); }, event);
  return out;
}

void JobMachine::handle(const event::Agreed&, TimePoint, Actions& out) {
  if (phase_ != Phase::kIdle) return;
  phase_ = Phase::kRunning;
  for (int index = 0; index < static_cast<int>(end_.workers.size()); ++index) {
    out.push_back(action::Spawn{index});
  }
}

void JobMachine::handle(const event::Spawned& event, TimePoint now, Actions&) {
  worker(event.worker).started_at = now;
}

void JobMachine::handle(const event::SpawnFailed& event, TimePoint now, Actions& out) {
  WorkerEnd& failed = worker(event.worker);
  failed.spawn_error = event.error;
  if (event.error.stage != sys::SpawnStage::kFork)
    return;  // there is a child, and its exit follows
  failed.status = sys::ExitStatus::exited(event.error.exit_code());
  failed.started_at = now;
  worker_down(failed, now, out);
}

void JobMachine::handle(const event::Exited& event, TimePoint now, Actions& out) {
  WorkerEnd& ended = worker(event.worker);
  ended.status = event.status;
  worker_down(ended, now, out);
}

void JobMachine::worker_down(WorkerEnd& ended, TimePoint now, Actions& out) {
  ended.ended_at = now;
  ended.told_to_stop = end_.stop_at.has_value();
  if (phase_ == Phase::kRunning && !went_well(ended)) {
    begin_stop(StopReason::kWorkerFailed, SIGTERM, limits_.failure_grace, now, out);
  }
  if (leaders_down()) all_leaders_down(now, out);
}

void JobMachine::handle(const event::StopRequested& event, TimePoint now, Actions& out) {
  if (end_.stop_signal == 0) end_.stop_signal = event.signal;
  switch (phase_) {
    case Phase::kRunning:
      begin_stop(StopReason::kPlatform, event.signal, limits_.stop_leaders, now, out);
      return;
    case Phase::kLeaders:
      end_groups(out);
      return;
    case Phase::kGroups:
    case Phase::kLinger:
      kill_tree(out);
      return;
    case Phase::kIdle:
    case Phase::kKill:
    case Phase::kDrain:
    case Phase::kFinished:
      return;
  }
}

void JobMachine::begin_stop(StopReason reason, int signal, Duration grace, TimePoint now,
                            Actions& out) {
  phase_ = Phase::kLeaders;
  end_.reason = reason;
  end_.stop_at = now;
  if (leaders_down()) return;
  out.push_back(action::SignalLeaders{signal});
  arm(Timer::kLeaders, grace, out);
}

void JobMachine::all_leaders_down(TimePoint now, Actions& out) {
  end_.leaders_down_at = now;
  if (phase_ == Phase::kRunning) {
    phase_ = Phase::kLinger;
    if (!limits_.sweep) return drain(out);
  }
  out.push_back(action::AwaitEmptyTree{});
}

void JobMachine::handle(const event::TreeNotEmpty&, TimePoint, Actions& out) {
  end_.survivors = true;
  if (phase_ == Phase::kLinger) {
    end_survivors(Timer::kLinger, limits_.linger, out);
  } else if (phase_ == Phase::kLeaders || phase_ == Phase::kGroups) {
    phase_ = Phase::kGroups;
    end_survivors(Timer::kGroups, limits_.stop_groups, out);
  }
}

void JobMachine::end_survivors(Timer timer, Duration time, Actions& out) {
  out.push_back(action::SignalTree{SIGTERM});
  arm(timer, time, out);
}

void JobMachine::end_groups(Actions& out) {
  phase_ = Phase::kGroups;
  out.push_back(action::SignalGroups{SIGTERM});
  arm(Timer::kGroups, limits_.stop_groups, out);
}

void JobMachine::kill_tree(Actions& out) {
  phase_ = Phase::kKill;
  ++kill_rounds_;
  out.push_back(action::SignalTree{SIGKILL});
  arm(Timer::kKill, limits_.kill, out);
}

void JobMachine::handle(const event::TimerFired& event, TimePoint, Actions& out) {
  if (armed_ != event.timer) return;  // it was on its way when another was armed
  armed_.reset();
  switch (event.timer) {
    case Timer::kLeaders:
      return end_groups(out);
    case Timer::kGroups:
    case Timer::kLinger:
      return kill_tree(out);
    case Timer::kKill:
      if (kill_rounds_ < kKillRounds) return kill_tree(out);
      end_.stuck = true;
      return drain(out);
    case Timer::kDrain:
      end_.output_cut = true;
      return finish(out);
  }
}

void JobMachine::handle(const event::TreeEmpty&, TimePoint, Actions& out) {
  if (leaders_down() && phase_ < Phase::kDrain) drain(out);
}

void JobMachine::drain(Actions& out) {
  phase_ = Phase::kDrain;
  arm(Timer::kDrain, limits_.drain, out);
  out.push_back(action::AwaitDrain{});
}

void JobMachine::handle(const event::OutputDrained&, TimePoint, Actions& out) {
  if (phase_ == Phase::kDrain) finish(out);
}

void JobMachine::finish(Actions& out) {
  phase_ = Phase::kFinished;
  if (armed_) out.push_back(action::CancelTimer{});
  armed_.reset();
  out.push_back(action::Finish{});
}

void JobMachine::arm(Timer timer, Duration delay, Actions& out) {
  armed_ = timer;
  out.push_back(action::ArmTimer{timer, delay});
}

bool JobMachine::leaders_down() const {
  return std::all_of(end_.workers.begin(), end_.workers.end(),
                     [](const WorkerEnd& worker) { return worker.status.has_value(); });
}

}  // namespace trainit::supervise
