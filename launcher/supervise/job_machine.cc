#include "supervise/job_machine.h"

#include <signal.h>

#include <algorithm>
#include <utility>

namespace trainit::supervise {
namespace {

/// A process may fork while it is being killed, and what comes of it needs a KILL of its own.
constexpr Duration kKillAgain = std::chrono::milliseconds(100);

bool has_ended(const WorkerEnd& worker) { return worker.status.has_value(); }

bool went_well(const WorkerEnd& worker) {
  return worker.status && worker.status->success() && !worker.spawn_error;
}

}  // namespace

bool JobEnd::success() const {
  // Who ends with 0 because he was told to stop has not done what he was started for.
  if (reason == StopReason::kStoreEnded) return false;
  return !workers.empty() && std::all_of(workers.begin(), workers.end(), went_well);
}

std::optional<Duration> JobEnd::checkpoint_time() const {
  if (reason != StopReason::kPlatform || groups_at || !leaders_down_at) return std::nullopt;
  const bool answered = std::any_of(workers.begin(), workers.end(), [](const WorkerEnd& worker) {
    return worker.told_to_stop && worker.status && worker.status->signal == 0;
  });
  return answered ? std::optional(*leaders_down_at - *stop_at) : std::nullopt;
}

JobMachine::JobMachine(int workers, Limits limits) : limits_(limits) {
  end_.workers.resize(static_cast<std::size_t>(workers));
}

std::vector<Action> JobMachine::on(const Event& event, TimePoint now) {
  Actions out;
  if (finished()) return out;
  std::visit([&](const auto& what) { handle(what, now, out); }, event);
  return out;
}

void JobMachine::handle(const event::Agreed&, TimePoint now, Actions& out) {
  if (phase_ != Phase::kIdle) return;
  phase_ = Phase::kRunning;
  spawn_next(out);
  look_for_survivors(now, out);
}

void JobMachine::spawn_next(Actions& out) {
  if (phase_ != Phase::kRunning || started_ == static_cast<int>(end_.workers.size())) return;
  out.push_back(action::Spawn{started_++});
}

void JobMachine::handle(const event::Spawned& event, TimePoint now, Actions& out) {
  worker(event.worker).started_at = now;
  spawn_next(out);
}

void JobMachine::handle(const event::SpawnFailed& event, TimePoint now, Actions& out) {
  WorkerEnd& failed = worker(event.worker);
  failed.spawn_error = event.error;
  // From the fork on there is a process, and an Exited follows.
  if (event.error.stage > sys::SpawnStage::kFork) return;
  failed.status = sys::ExitStatus::exited(event.error.exit_code());
  failed.started_at = now;
  worker_down(failed, now, out);
}

void JobMachine::handle(const event::Exited& event, TimePoint now, Actions& out) {
  WorkerEnd& ended = worker(event.worker);
  ended.status = event.status;
  // Whoever asks us to stop may have sent the same signal to the workers.
  ended.told_to_stop = event.signalled || end_.stop_signal != 0;
  worker_down(ended, now, out);
}

void JobMachine::worker_down(WorkerEnd& ended, TimePoint now, Actions& out) {
  ended.ended_at = now;
  const bool fails_job = phase_ == Phase::kRunning && !went_well(ended);
  if (fails_job && !all_ended()) {
    begin_stop(StopReason::kWorkerFailed, SIGTERM, limits_.failure_grace, now, out);
  } else {
    look_for_survivors(now, out);
  }
  if (fails_job) tell_peers(StopReason::kWorkerFailed, out);
}

void JobMachine::begin_stop(StopReason reason, int signal, Duration grace, TimePoint now,
                            Actions& out) {
  phase_ = Phase::kLeaders;
  end_.reason = reason;
  end_.stop_at = now;
  if (leaders_down()) return look_for_survivors(now, out);
  out.push_back(action::SignalLeaders{signal});
  arm(Timer::kLeaders, grace, now, out);
}

void JobMachine::look_for_survivors(TimePoint now, Actions& out) {
  if (!leaders_down() || phase_ >= Phase::kDrain) return;
  if (!end_.leaders_down_at) out.push_back(action::EndHelpers{});
  end_.leaders_down_at = now;
  if (phase_ == Phase::kRunning) {
    phase_ = Phase::kLinger;
    if (!limits_.sweep) return drain(now, out);
  }
  out.push_back(action::AwaitEmptyTree{});
}

void JobMachine::handle(const event::TreeNotEmpty&, TimePoint now, Actions& out) {
  if (phase_ != Phase::kLinger && phase_ != Phase::kLeaders && phase_ != Phase::kGroups) return;
  end_.survivors = true;
  out.push_back(action::SignalTree{SIGTERM});
  if (phase_ == Phase::kLinger) arm(Timer::kLinger, limits_.linger, now, out);
  if (phase_ == Phase::kLeaders) arm(Timer::kGroups, limits_.stop_groups, now, out);
  if (phase_ == Phase::kLeaders) phase_ = Phase::kGroups;
}

void JobMachine::handle(const event::StopRequested& event, TimePoint now, Actions& out) {
  // The host that the first signal came to has told us of it; that our own comes later shortens
  // nobody's time.
  if (std::exchange(stop_travelled_, false)) {
    end_.stop_asked_at = now;
    return;
  }
  if (end_.stop_signal != 0) return next_step(now, out);
  end_.stop_signal = event.signal;
  end_.stop_asked_at = now;
  if (phase_ == Phase::kRunning) {
    begin_stop(StopReason::kPlatform, event.signal, limits_.stop_leaders, now, out);
    tell_peers(StopReason::kPlatform, out);
  } else {
    first_stop_signal(now, out);
  }
}

/// Our own workers come first: they are told by a system call, and peers over a network.
void JobMachine::tell_peers(StopReason reason, Actions& out) {
  if (!end_.elsewhere && !std::exchange(peers_told_, true))
    out.push_back(action::TellPeers{reason});
}

void JobMachine::handle(const event::PeersStop& event, TimePoint now, Actions& out) {
  if (phase_ != Phase::kRunning && phase_ != Phase::kIdle) return;
  const bool platform = event.reason == StopReason::kPlatform;
  end_.elsewhere = true;
  end_.stop_signal = platform ? event.signal : 0;
  stop_travelled_ = platform;
  if (phase_ == Phase::kIdle) {
    end_.reason = event.reason;
    end_.stop_at = now;
    return finish(now, out);
  }
  begin_stop(event.reason, platform ? event.signal : SIGTERM,
             platform ? limits_.stop_leaders : limits_.failure_grace, now, out);
}

/// A stop signal that finds the workers stopping or ended already. They need not be told again, and
/// what they were promised stands as far as it fits into the time that we are given now.
void JobMachine::first_stop_signal(TimePoint now, Actions& out) {
  switch (phase_) {
    case Phase::kIdle:
      end_.reason = StopReason::kPlatform;
      end_.stop_at = now;
      tell_peers(StopReason::kPlatform, out);
      return finish(now, out);
    case Phase::kLeaders:
    case Phase::kLinger:
      shorten(limits_.stop_leaders, now, out);
      break;
    case Phase::kKill:
      kill_until_ = std::min(kill_until_, now + limits_.stop_kill);
      break;
    case Phase::kDrain:
      shorten(limits_.stop_drain, now, out);
      break;
    case Phase::kRunning:
    case Phase::kGroups:
    case Phase::kFinished:
      break;
  }
  // Workers that have ended well here need not be all: those of other hosts may still run.
  tell_peers(StopReason::kPlatform, out);
}

void JobMachine::shorten(Duration limit, TimePoint now, Actions& out) {
  if (armed_ && due_ > now + limit) arm(*armed_, limit, now, out);
}

/// Whoever needs it fails sooner or later, and would be taken for the cause; the last one that does
/// may have been seen to end before it. A store that our own SIGKILL may have met is none.
void JobMachine::handle(const event::StoreEnded& event, TimePoint now, Actions& out) {
  if (phase_ == Phase::kIdle || phase_ == Phase::kFinished || end_.kill_at) return;
  if (leaders_down() && end_.success()) return;
  end_.store = event.status;
  if (phase_ != Phase::kRunning || leaders_down()) return;
  begin_stop(StopReason::kStoreEnded, SIGTERM, limits_.failure_grace, now, out);
  tell_peers(StopReason::kStoreEnded, out);
}

/// Another stop signal: whoever sent it will not wait any longer.
void JobMachine::next_step(TimePoint now, Actions& out) {
  if (phase_ == Phase::kLeaders) return end_groups(now, out);
  if (phase_ == Phase::kGroups || phase_ == Phase::kLinger) kill_tree(now, out);
}

void JobMachine::end_groups(TimePoint now, Actions& out) {
  phase_ = Phase::kGroups;
  end_.groups_at = now;
  out.push_back(action::SignalGroups{SIGTERM});
  arm(Timer::kGroups, limits_.stop_groups, now, out);
}

void JobMachine::kill_tree(TimePoint now, Actions& out) {
  phase_ = Phase::kKill;
  end_.kill_at = now;
  kill_until_ = now + (end_.stop_signal != 0 ? limits_.stop_kill : limits_.kill);
  repeat_kill(now, out);
}

void JobMachine::repeat_kill(TimePoint now, Actions& out) {
  out.push_back(action::SignalTree{SIGKILL});
  arm(Timer::kKill, std::min(kKillAgain, kill_until_ - now), now, out);
}

void JobMachine::handle(const event::TimerFired& event, TimePoint now, Actions& out) {
  if (armed_ != event.timer) return;  // it was on its way when another was armed
  armed_.reset();
  switch (event.timer) {
    case Timer::kLeaders:
      return end_groups(now, out);
    case Timer::kGroups:
    case Timer::kLinger:
      return kill_tree(now, out);
    case Timer::kKill:
      if (now < kill_until_) return repeat_kill(now, out);
      // In uninterruptible sleep a process never goes, and the job must end all the same.
      end_.stuck_after = now - *end_.kill_at;
      return drain(now, out);
    case Timer::kDrain:
      end_.output_cut = true;
      return finish(now, out);
  }
}

void JobMachine::handle(const event::TreeEmpty&, TimePoint now, Actions& out) {
  if (end_.leaders_down_at && phase_ < Phase::kDrain) drain(now, out);
}

void JobMachine::drain(TimePoint now, Actions& out) {
  phase_ = Phase::kDrain;
  arm(Timer::kDrain, end_.stop_signal != 0 ? limits_.stop_drain : limits_.drain, now, out);
  out.push_back(action::AwaitDrain{});
}

void JobMachine::handle(const event::OutputDrained&, TimePoint now, Actions& out) {
  if (phase_ == Phase::kDrain) finish(now, out);
}

void JobMachine::finish(TimePoint now, Actions& out) {
  phase_ = Phase::kFinished;
  for (WorkerEnd& worker : end_.workers) {
    if (has_ended(worker)) continue;
    // Stuck, or its turn never came: no cause of anything.
    worker.told_to_stop = true;
    if (worker.started_at != TimePoint()) worker.ended_at = now;
  }
  if (armed_) out.push_back(action::CancelTimer{});
  if (!end_.leaders_down_at) out.push_back(action::EndHelpers{});
  out.push_back(action::Finish{});
}

void JobMachine::arm(Timer timer, Duration delay, TimePoint now, Actions& out) {
  armed_ = timer;
  due_ = now + delay;
  out.push_back(action::ArmTimer{timer, delay});
}

/// Whether no worker runs and none will be started any more.
bool JobMachine::leaders_down() const {
  if (phase_ == Phase::kRunning) return all_ended();
  return std::all_of(end_.workers.begin(), end_.workers.begin() + started_, has_ended);
}

bool JobMachine::all_ended() const {
  return std::all_of(end_.workers.begin(), end_.workers.end(), has_ended);
}

}  // namespace trainit::supervise
