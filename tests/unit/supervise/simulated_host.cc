#include "simulated_host.h"

#include <algorithm>
#include <cerrno>

#include "job_actions.h"

namespace trainit::supervise::testing {
namespace {

using std::chrono::milliseconds;
using sys::ExitStatus;

constexpr int kEndOfTime = 10'000'000;
/// A timer may be late by as much.
constexpr int kTimerLateness = 5;

sys::TimePoint point(int ms) { return sys::TimePoint(milliseconds(ms)); }
int in_ms(Duration duration) {
  return static_cast<int>(std::chrono::ceil<milliseconds>(duration).count());
}

Limits random_limits(Dice& dice) {
  Limits limits = {};
  limits.stop_leaders = milliseconds(dice.roll(8000));
  limits.stop_groups = milliseconds(dice.roll(1500));
  limits.failure_grace = milliseconds(dice.roll(20'000));
  limits.linger = milliseconds(dice.roll(5000));
  limits.sweep = !dice.one_in(4);
  limits.stop_drain = milliseconds(dice.roll(500));
  return limits;
}

}  // namespace

SimulatedHost::SimulatedHost(std::uint64_t seed, bool keep_trace)
    : dice_(seed),
      limits_(random_limits(dice_)),
      workers_(1 + dice_.roll(8)),
      machine_(workers_, limits_),
      true_codes_(static_cast<std::size_t>(workers_), -1),
      keep_trace_(keep_trace) {}

std::string SimulatedHost::run() {
  post(dice_.roll(20), event::Agreed{});
  for (int stops = dice_.roll(5); stops > 0; --stops) {
    const int when = dice_.one_in(3) ? dice_.roll(30) : dice_.roll(40'000);
    post(when, event::StopRequested{dice_.one_in(2) ? SIGTERM : SIGINT});
  }
  if (dice_.one_in(4)) {
    const int when = dice_.one_in(3) ? dice_.roll(30) : dice_.roll(40'000);
    post(when, event::StoreEnded{ExitStatus::killed(SIGSEGV)});
  }
  if (dice_.one_in(4)) {
    const int when = dice_.one_in(3) ? dice_.roll(30) : dice_.roll(40'000);
    post(when, dice_.one_in(2) ? event::PeersStop{supervise::StopReason::kPlatform, SIGTERM}
                               : event::PeersStop{supervise::StopReason::kHostLost, 0});
  }
  while (!future_.empty() && problem_.empty() && future_.top().at < kEndOfTime) {
    const Happening next = future_.top();
    future_.pop();
    now_ = next.at;
    happen(next);
  }
  if (problem_.empty()) check_end();
  return problem_;
}

void SimulatedHost::happen(const Happening& what) {
  switch (what.kind) {
    case Happening::Kind::kEvent:
      return tell(what.event);
    case Happening::Kind::kTimer:
      if (armed_order_ != what.order) return;
      armed_order_ = -1;
      return tell(what.event);
    case Happening::Kind::kEnd:
      return end_process(what.process, what.signal);
  }
}

void SimulatedHost::tell(const Event& event) {
  if (std::holds_alternative<event::StopRequested>(event)) {
    stopping_ = true;
    if (stop_at_ < 0) stop_at_ = now_;
  }
  if (std::holds_alternative<event::StoreEnded>(event)) {
    if (!store_runs_ || (store_ended_ && !store_died_first_)) return;  // nobody would tell
    lose_store();
  }
  if (std::holds_alternative<event::SpawnFailed>(event)) fork_failed_ = false;
  if (std::holds_alternative<event::Agreed>(event)) begun_ = true;
  note("<- " + (keep_trace_ ? name_of(event) : ""));
  const std::vector<Action> actions = machine_.on(event, point(now_));
  if (const auto* peers = std::get_if<event::PeersStop>(&event)) hear_of_peers(*peers);
  expect(finished_at_ < 0 || actions.empty(), "something was done after the end");
  note("   -> " + (keep_trace_ ? names_of(actions) : ""));
  for (const Action& action : actions) carry_out(action);
}

/// The machine was told of them: a travelled stop has the time that one of our own has.
void SimulatedHost::hear_of_peers(const event::PeersStop& what) {
  if (finished_at_ >= 0 || heard_of_peers_) return;
  heard_of_peers_ = machine_.end().elsewhere;
  expect(heard_of_peers_ || stopping_ || !leader_alive(), "peers stop, and workers go on");
  if (!heard_of_peers_) return;
  stopping_ = true;
  int& since = what.reason == supervise::StopReason::kPlatform ? stop_at_ : failed_at_;
  if (since < 0) since = now_;
}

void SimulatedHost::post(int delay, Event event) {
  future_.push({now_ + delay, order_++, Happening::Kind::kEvent, std::move(event)});
}

void SimulatedHost::post_end(int delay, int process, int signal) {
  future_.push({now_ + delay, order_++, Happening::Kind::kEnd, Event(), process, signal});
}

int SimulatedHost::add_process(int worker, int group) {
  Process process{worker, group, 0, 0, 0, true};
  process.code = dice_.one_in(6) ? 1 + dice_.roll(255) : 0;
  process.term_delay = dice_.one_in(4) ? -1 : dice_.roll(10'000);
  process.kill_delay = dice_.one_in(200) ? -1 : dice_.roll(dice_.one_in(5) ? 400 : 5);
  process.holds_pipe = worker >= 0 || dice_.one_in(2);
  process.children = worker >= 0 && dice_.one_in(3) ? dice_.roll(3) : 0;
  processes_.push_back(process);
  const int index = static_cast<int>(processes_.size()) - 1;
  if (worker >= 0 || dice_.one_in(3)) post_end(dice_.roll(30'000), index, 0);
  return index;
}

void SimulatedHost::end_process(int index, int signal) {
  if (!processes_[static_cast<std::size_t>(index)].alive) return;
  processes_[static_cast<std::size_t>(index)].alive = false;
  const Process process = processes_[static_cast<std::size_t>(index)];
  note("   process " + std::to_string(index) + " of worker " + std::to_string(process.worker) +
       " ends by " + std::to_string(signal));
  for (int child = 0; child < process.children; ++child) {
    add_process(-1, dice_.one_in(2) ? process.group : -1);
  }
  if (process.worker >= 0) {
    const bool by_itself = signal == 0 || (signal != SIGKILL && dice_.one_in(2));
    const auto status = by_itself ? ExitStatus::exited(process.code) : ExitStatus::killed(signal);
    if (by_itself && finished_at_ < 0)
      true_codes_[static_cast<std::size_t>(process.worker)] = process.code;
    if (!status.success()) stopping_ = true;
    if (!status.success() && failed_at_ < 0) failed_at_ = now_;
    if (!leader_alive()) all_down_at_ = now_;
    tell(event::Exited{process.worker, status, signalled_});
  }
  answer_waits();
}

/// The crash that was meant for it comes to nothing when it is not there any more.
void SimulatedHost::lose_store() {
  store_runs_ = false;
  if (finished_at_ >= 0 || machine_.end().kill_at) return;
  const bool missed = leader_alive() || fork_failed_;
  if (!missed && (!begun_ || machine_.end().success())) return;
  store_lost_ = true;
  if (!missed) return;
  stopping_ = true;
  if (failed_at_ < 0) failed_at_ = now_;
}

void SimulatedHost::carry_out(const Action& action) {
  std::visit([this](const auto& what) { carry_out(what); }, action);
}

void SimulatedHost::carry_out(const action::Spawn& what) {
  expect(!stopping_, "a worker was started after a stop or a failure");
  if (dice_.one_in(30)) {
    stopping_ = true;
    if (failed_at_ < 0) failed_at_ = now_;
    fork_failed_ = true;
    post(0, event::SpawnFailed{what.worker, {sys::SpawnStage::kFork, EAGAIN}});
    return;
  }
  all_down_at_ = -1;
  const int leader = add_process(what.worker, what.worker);
  post(dice_.roll(3), event::Spawned{what.worker});
  if (dice_.one_in(30)) {
    processes_[static_cast<std::size_t>(leader)].code = 127;
    processes_[static_cast<std::size_t>(leader)].children = 0;
    post(3, event::SpawnFailed{what.worker, {sys::SpawnStage::kExec, ENOENT}});
    post_end(3, leader, 0);
  }
}

void SimulatedHost::carry_out(const action::SignalLeaders& what) {
  signalled_ = true;
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    if (processes_[i].worker >= 0) deliver(static_cast<int>(i), what.signal);
  }
}

void SimulatedHost::carry_out(const action::SignalGroups& what) {
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    if (processes_[i].group >= 0) deliver(static_cast<int>(i), what.signal);
  }
}

void SimulatedHost::carry_out(const action::SignalTree& what) {
  const int seen = static_cast<int>(processes_.size());
  for (int i = 0; i < seen; ++i) deliver(i, what.signal);
}

void SimulatedHost::deliver(int index, int signal) {
  Process& process = processes_[static_cast<std::size_t>(index)];
  if (!process.alive) return;
  if (signal != SIGKILL) {
    process.asked = true;
    if (process.term_delay >= 0) post_end(process.term_delay, index, signal);
    return;
  }
  expect(process.asked || process.worker < 0, "a worker was killed that had not been asked to end");
  if (process.kill_delay >= 0) post_end(process.kill_delay, index, SIGKILL);
  if (forks_left_ > 0 && dice_.one_in(20)) {
    --forks_left_;
    add_process(-1, -1);  // it forked before the KILL arrived
  }
}

void SimulatedHost::carry_out(const action::ArmTimer& what) {
  expect(what.delay >= Duration::zero(), "a timer was armed for the past");
  expect(stopping_ || all_down_at_ >= 0, "a timer was armed while all was well");
  armed_order_ = order_;
  future_.push({now_ + in_ms(what.delay) + dice_.roll(kTimerLateness), order_++,
                Happening::Kind::kTimer, event::TimerFired{what.timer}});
}

void SimulatedHost::carry_out(const action::CancelTimer&) {
  expect(armed_order_ >= 0, "a timer was cancelled that was not armed");
  armed_order_ = -1;
}

void SimulatedHost::carry_out(const action::TellPeers&) {
  expect(!peers_told_, "peers were told twice");
  expect(!machine_.end().elsewhere, "peers were told what had come from them");
  expect(stopping_, "peers were told to stop while all was well");
  peers_told_ = true;
}

void SimulatedHost::carry_out(const action::EndHelpers&) {
  expect(!store_ended_, "the store was ended twice");
  expect(!leader_alive() || machine_.end().stuck_after, "the store was ended while a worker ran");
  store_ended_ = true;
  if (!store_runs_ || !dice_.one_in(8)) return;
  store_died_first_ = true;  // which is seen only now
  post(0, event::StoreEnded{ExitStatus::killed(SIGSEGV)});
}

void SimulatedHost::carry_out(const action::AwaitEmptyTree&) {
  expect(store_ended_, "the tree is to be empty while the store is in it");
  expect(!awaits_empty_, "the empty tree was asked for twice");
  awaits_empty_ = true;
  post(0, anybody_alive() ? Event(event::TreeNotEmpty{}) : Event(event::TreeEmpty{}));
}

void SimulatedHost::carry_out(const action::AwaitDrain&) {
  awaits_drain_ = true;
  answer_waits();
}

void SimulatedHost::carry_out(const action::Finish&) {
  expect(finished_at_ < 0, "the job finished twice");
  expect(armed_order_ < 0, "a timer is armed after the end");
  expect(store_ended_, "the store was left behind");
  finished_at_ = now_;
  const JobEnd& end = machine_.end();
  const bool left_alone = !limits_.sweep && end.reason == StopReason::kNone;
  expect(!anybody_alive() || end.stuck_after || left_alone, "a process was left behind");
  expect(!pipe_is_held() || end.output_cut, "output was not drained and nothing says so");
  check_time();
}

void SimulatedHost::answer_waits() {
  if (awaits_empty_ && !anybody_alive()) post(0, event::TreeEmpty{});
  if (awaits_drain_ && !pipe_is_held()) post(dice_.roll(2), event::OutputDrained{});
}

bool SimulatedHost::anybody_alive() const {
  return std::any_of(processes_.begin(), processes_.end(),
                     [](const Process& p) { return p.alive; });
}

bool SimulatedHost::leader_alive() const {
  return std::any_of(processes_.begin(), processes_.end(),
                     [](const Process& p) { return p.alive && p.worker >= 0; });
}

bool SimulatedHost::pipe_is_held() const {
  return std::any_of(processes_.begin(), processes_.end(),
                     [](const Process& p) { return p.alive && p.holds_pipe; });
}

void SimulatedHost::check_time() {
  constexpr int kSlack = 12 * kTimerLateness;
  const int kill_and_drain = in_ms(limits_.kill + limits_.drain) + kSlack;
  const int stop_steps = in_ms(limits_.stop_leaders + limits_.stop_groups);
  if (stop_at_ >= 0) {
    const int limit = stop_steps + in_ms(limits_.stop_kill + limits_.stop_drain) + kSlack;
    expect(now_ <= stop_at_ + limit, "the end came later than the stop's budget");
  }
  if (failed_at_ >= 0 && (stop_at_ < 0 || failed_at_ < stop_at_)) {
    const int steps = in_ms(limits_.failure_grace + limits_.stop_groups + limits_.linger);
    expect(now_ <= failed_at_ + steps + kill_and_drain, "the end came too long after a failure");
  }
  if (all_down_at_ >= 0) {
    const int step = in_ms(std::max(limits_.linger, limits_.stop_groups));
    expect(now_ <= all_down_at_ + step + kill_and_drain,
           "the end came too long after the workers'");
  }
}

void SimulatedHost::check_end() {
  const JobEnd& end = machine_.end();
  expect(finished_at_ >= 0, "the job never finished");
  const bool all_well =
      std::all_of(true_codes_.begin(), true_codes_.end(), [](int code) { return code == 0; });
  expect(end.store.has_value() == store_lost_,
         "the store was lost while workers needed it, or that was only believed");
  expect(end.reason != supervise::StopReason::kStoreEnded || store_lost_,
         "a store that was not lost stopped the job");
  const bool store_stopped_it = end.reason == supervise::StopReason::kStoreEnded;
  expect(end.success() == (all_well && !store_stopped_it),
         "success is not: every worker ended with 0 and the store did not stop them");
}

void SimulatedHost::expect(bool promise, const char* broken) {
  if (!promise && problem_.empty()) problem_ = broken;
}

void SimulatedHost::note(const std::string& text) {
  if (keep_trace_) trace_ += std::to_string(now_) + " ms " + text + "\n";
}

}  // namespace trainit::supervise::testing
