#include "round.h"

#include <fmt/core.h>
#include <signal.h>

#include <algorithm>
#include <utility>

namespace trainit::simulation {

using sys::ExitStatus;
namespace event = supervise::event;
namespace action = supervise::action;

namespace {

supervise::Duration duration(Micros time) { return std::chrono::microseconds(time); }
Micros micros(supervise::Duration time) {
  return std::chrono::ceil<std::chrono::microseconds>(time).count();
}

supervise::Limits limits_of(const Schedule& schedule) {
  supervise::Limits limits = {};
  limits.stop_leaders = duration(schedule.stop_leaders);
  limits.stop_groups = duration(schedule.stop_groups);
  limits.failure_grace = duration(schedule.grace);
  limits.linger = duration(kSecond);
  return limits;
}

/// As the launcher has it.
sys::TimePoint first_start(const supervise::JobEnd& end) {
  sys::TimePoint first = sys::TimePoint::max();
  for (const supervise::WorkerEnd& worker : end.workers) {
    if (worker.started_at != sys::TimePoint{}) first = std::min(first, worker.started_at);
  }
  return first != sys::TimePoint::max() ? first : end.stop_at.value_or(sys::TimePoint{});
}

sys::TimePoint last_end(const supervise::JobEnd& end) {
  sys::TimePoint last = sys::TimePoint::min();
  for (const supervise::WorkerEnd& worker : end.workers) last = std::max(last, worker.ended_at);
  return last;
}

}  // namespace

bool is_of_round(const std::string& failure, int round) {
  constexpr std::string_view kBefore = " in round ";
  const auto place = failure.find(kBefore);
  return place == std::string::npos ||
         failure.compare(place + kBefore.size(), 1, std::to_string(round)) == 0;
}

Round::Round(Launcher& launcher, Timeline& timeline, const Schedule& schedule, int host,
             const environment::Agreement& agreement)
    : launcher_(launcher),
      timeline_(timeline),
      schedule_(schedule),
      part_(schedule.part(host, agreement.round)),
      number_(agreement.round),
      first_rank_(agreement.first_rank),
      begun_at_(timeline.now()),
      machine_(static_cast<int>(part_.workers.size()), limits_of(schedule)),
      workers_(part_.workers.size()) {}

void Round::start(const std::optional<coordination::message::Stop>& why) {
  if (why) stop_for_peers(*why);
  tell(event::Agreed{});
}

void Round::stop_for_peers(const coordination::message::Stop& why) {
  tell(event::PeersStop{why.reason, why.signal});
}

void Round::stop(int signal) {
  ++stops_;
  tell(event::StopRequested{signal});
}

bool Round::lose_store(ExitStatus status) {
  if (finished() || end().leaders_down_at) return false;
  tell(event::StoreEnded{status});
  return true;
}

void Round::tell(const supervise::Event& event) {
  if (finished()) return;
  const auto actions = machine_.on(event, launcher_.clock());
  for (const supervise::Action& action : actions) carry_out(action);
  if (end().stop_at && !stopped_at_) stopped_at_ = timeline_.now();
}

void Round::carry_out(const supervise::Action& action) {
  if (const auto* what = std::get_if<action::Spawn>(&action)) {
    spawn(what->worker);
  } else if (const auto* leaders = std::get_if<action::SignalLeaders>(&action)) {
    signalled_ = true;
    signal_workers(leaders->signal);
  } else if (const auto* groups = std::get_if<action::SignalGroups>(&action)) {
    const Micros grace = std::min(schedule_.grace, schedule_.stop_leaders);
    launcher_.expect(stops_ > 1 || timeline_.now() >= *stopped_at_ + grace,
                     "the workers' grace was cut short");
    signal_workers(groups->signal);
  } else if (const auto* tree = std::get_if<action::SignalTree>(&action)) {
    signal_workers(tree->signal);
  } else if (const auto* timer = std::get_if<action::ArmTimer>(&action)) {
    arm(*timer);
  } else if (std::holds_alternative<action::CancelTimer>(action)) {
    ++timer_;
  } else if (const auto* peers = std::get_if<action::TellPeers>(&action)) {
    launcher_.tell_peers(peers->reason, end().stop_signal);
  } else if (std::holds_alternative<action::AwaitEmptyTree>(action)) {
    launcher_.after(0, [this] { tell(event::TreeEmpty{}); });
  } else if (std::holds_alternative<action::AwaitDrain>(action)) {
    launcher_.after(0, [this] { tell(event::OutputDrained{}); });
  } else if (std::holds_alternative<action::Finish>(action)) {
    ++timer_;
    over_at_ = timeline_.now();
    launcher_.after(0, [this] { launcher_.round_over(); });
  }
}

void Round::spawn(int index) {
  launcher_.worker_starts(number_, index);
  worker(index).runs = true;
  const Story& its = story(index);
  if (its.fails()) {
    launcher_.after(its.lives, [this, index] {
      worker_prints(index, false);
      if (worker(index).runs) launcher_.worker_missed();
    });
  }
  post_end(index, its.lives + its.dying,
           its.signal != 0 ? ExitStatus::killed(its.signal) : ExitStatus::exited(its.code));
  launcher_.after(0, [this, index] { tell(event::Spawned{index}); });
}

void Round::arm(const action::ArmTimer& action) {
  const int armed = ++timer_;
  launcher_.after(micros(action.delay), [this, armed, timer = action.timer] {
    if (armed == timer_) tell(event::TimerFired{timer});
  });
}

void Round::signal_workers(int signal) {
  for (int index = 0; index < static_cast<int>(workers_.size()); ++index) {
    const Story& its = story(index);
    if (!worker(index).runs) continue;
    if (signal == SIGKILL) {
      post_end(index, kMillisecond, ExitStatus::killed(SIGKILL));
    } else if (its.term_takes >= 0) {
      post_end(index, its.term_takes,
               its.term_code < 0 ? ExitStatus::killed(signal) : ExitStatus::exited(its.term_code));
    }
  }
}

void Round::post_end(int index, Micros delay, ExitStatus status) {
  launcher_.after(delay, [this, index, status] { worker_ends(index, status); });
}

void Round::worker_prints(int index, bool communication) {
  Worker& who = worker(index);
  if (!who.runs || who.error_at != sys::TimePoint() || story(index).signal != 0) return;
  who.error_at = launcher_.clock();
  who.communication = communication || story(index).communication;
}

void Round::worker_ends(int index, ExitStatus status) {
  if (!std::exchange(worker(index).runs, false)) return;
  launcher_.note(fmt::format("worker {} {}", index, sys::describe(status)));
  tell(event::Exited{index, status, signalled_});
  if (!status.success()) launcher_.worker_missed();
}

void Round::miss_peer() {
  for (int index = 0; index < static_cast<int>(workers_.size()); ++index) {
    if (!worker(index).runs || story(index).notices < 0) continue;
    launcher_.after(story(index).notices, [this, index] {
      if (!worker(index).runs) return;
      worker_prints(index, true);
      worker_ends(index, ExitStatus::exited(1));
    });
  }
}

void Round::die() {
  for (Worker& worker : workers_) worker.runs = false;
}

Micros Round::fails_at(int worker) const {
  return starts_at() + story(worker).lives + story(worker).dying;
}

bool Round::has_workers() const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [](const Worker& worker) { return worker.runs; });
}

bool Round::went_well() const {
  return std::all_of(end().workers.begin(), end().workers.end(),
                     [](const auto& worker) { return worker.status && worker.status->success(); });
}

diagnose::HostEnd Round::host_end() const {
  diagnose::HostEnd end;
  end.host = launcher_.name();
  end.workers = static_cast<int>(workers_.size());
  end.success = this->end().success();
  end.reason = this->end().reason;
  end.stop_signal = this->end().stop_signal;
  end.store = this->end().store;
  end.started_at = first_start(this->end());
  end.ended_at = last_end(this->end());
  if (this->end().stop_at) end.stop_at = *this->end().stop_at;
  if (end.success) return end;
  for (std::size_t index = 0; index < workers_.size(); ++index)
    end.evidence.push_back(evidence_of(index));
  return end;
}

diagnose::Evidence Round::evidence_of(std::size_t index) const {
  const supervise::JobEnd& job = end();
  const supervise::WorkerEnd& ended = job.workers[index];
  const Worker& who = workers_[index];
  diagnose::Evidence evidence;
  evidence.host = launcher_.name();
  evidence.rank = first_rank_ + static_cast<int>(index);
  evidence.status = ended.status.value_or(ExitStatus::killed(SIGKILL));
  evidence.stopped_by_us = ended.told_to_stop;
  if (ended.told_to_stop && job.stop_at) evidence.told_at = *job.stop_at;
  evidence.killed_by_us = job.may_have_killed(ended);
  evidence.exited_at = ended.ended_at;
  evidence.after = ended.ended_at - ended.started_at;
  if (who.error_at == sys::TimePoint()) return evidence;
  evidence.first_error_at = who.error_at;
  evidence.error.emplace();
  evidence.error->communication = who.communication;
  evidence.error->summary = fmt::format(
      "{} in round {}",
      who.communication ? "RuntimeError: Connection closed by peer" : "ValueError: root", number_);
  return evidence;
}

}  // namespace trainit::simulation
