#include <fmt/core.h>
#include <signal.h>

#include <algorithm>
#include <utility>

#include "host.h"

/// A host's part in the rounds of a job, and what stops it.
namespace trainit::simulation {

using diagnose::StopReason;
namespace message = coordination::message;

namespace {

/// From the first stop signal until somebody kills us, beside what its steps take.
constexpr Micros kSpare = kSecond;
/// A process that comes to the store calls itself by the round and its worker's rank.
constexpr int kProcessesOfRound = 10'000;
/// How often somebody looks whether a stop signal has come, when no workers run.
constexpr Micros kGlance = 100 * kMillisecond;

Micros micros(sys::Duration time) {
  return std::chrono::ceil<std::chrono::microseconds>(time).count();
}

}  // namespace

void Host::perform(const coordination::member_action::Begin& action) {
  const int number = action.agreement.round;
  note(fmt::format("begins round {}", number));
  stop_.reset();
  const bool can_begin = number == 0 ? stage_ == Stage::kMeeting : stage_ == Stage::kBetween;
  expect(can_begin && !gave_up_, "begins when it cannot");
  expect(number == static_cast<int>(rounds_.size()), "begins another round than the next");
  expect(number == 0 || ready_, "begins before it is ready");
  rounds_.push_back(std::make_unique<Round>(*this, timeline_, schedule_, index_, action.agreement));
  stage_ = Stage::kSetUp;
  lost_store_ = false;
  came_.clear();
  ready_at_.reset();
  after(set_up(), [this, number] {
    if (stage_ == Stage::kSetUp && round().number() == number) begin_workers();
  });
}

void Host::perform(const coordination::member_action::BeginAgain& action) {
  note(fmt::format("is to begin again with round {}", action.what.round));
  expect(stage_ == Stage::kAttending, "is to begin again when its part is not over");
  again_ = action.what;
  // Others have heard of a stop that came here: there is no other round.
  if (stop_came_at_) return;
  stage_ = Stage::kBetween;
  ended_at_.reset();
  ready_ = false;
  const Micros waits = micros(action.what.delay) + part(action.what.round).clears;
  ready_at_ = timeline_.now() + waits;
  after(waits, [this, number = action.what.round] {
    if (stage_ == Stage::kBetween && again_->round == number) be_ready();
  });
}

void Host::perform(const coordination::member_action::StopWorkers& action) {
  note("is to stop its workers: " + action.why.host + " " + action.why.text);
  expect(!stop_, "was to stop its workers twice");
  stop_ = action.why;
  if (stage_ == Stage::kRunning) rounds_.back()->stop_for_peers(*stop_);
}

/// Before all have agreed the launcher goes at once; after it, when the others know.
void Host::fail_set_up(const std::string& trouble, int code) {
  note("cannot begin: " + trouble);
  message::Ended ended;
  ended.end.trouble = trouble;
  ended.end.trouble_code = code;
  ended_at_ = timeline_.now();
  end_ = ended.end;
  stage_ = Stage::kWithdrawn;
  if (!begun()) gave_up_ = Error{trouble, code};
  act(member_->ended(ended));
  if (!begun()) return leave();
  if (pending_) say_good_bye();
}

void Host::begin_workers() {
  if (part(round().number()).trouble_after) return fail_set_up("no space left on the device", 125);
  stage_ = Stage::kRunning;
  Round* round = rounds_.back().get();
  if (const auto ends = schedule_.end_of_store(round->number()); ends && index_ == 0) {
    after(*ends, [this, round] {
      if (rounds_.back().get() == round) lose_store();
    });
  }
  round->start(stop_);
  if (std::exchange(pending_, false)) stop_signal();
}

void Host::miss_peer() {
  if (begun()) rounds_.back()->miss_peer();
}

void Host::be_ready() {
  if (part(again_->round).trouble_clearing) return fail_set_up("the disk does not answer", 125);
  if (pending_) return stop_between();
  ready_ = true;
  act(member_->ready());
}

void Host::stop_signal() {
  note("SIGTERM");
  switch (stage_) {
    case Stage::kMeeting:
      return fail_set_up("stopped by SIGTERM before the start", 143);
    case Stage::kSetUp:
      pending_ = true;
      if (round().number() == 0) fail_set_up("stopped by SIGTERM before the start", 143);
      return;
    case Stage::kRunning:
      pending_ = round().finished();
      if (pending_) return;
      if (!stop_came_at_) stop_came_at_ = timeline_.now();
      return rounds_.back()->stop(SIGTERM);
    case Stage::kAttending:
      return stop_attending();
    case Stage::kBetween:
      if (std::exchange(pending_, true)) return;
      stopped_unready_ = !ready_;
      return after(kGlance, [this] {
        if (stage_ == Stage::kBetween) stop_between();
      });
    case Stage::kWithdrawn:
      if (!std::exchange(pending_, true)) say_good_bye();
      return;
    case Stage::kStopped:
      return;
  }
}

void Host::stop_attending() {
  if (stop_came_at_) return hurry();
  stop_came_at_ = timeline_.now();
  act(member_->stop_began(StopReason::kPlatform, SIGTERM, {}));
  hurry_at(*stop_came_at_ + budget());
}

/// It was on its way to the next round.
void Host::stop_between() {
  if (verdict_) return;
  note("does not begin again");
  stage_ = Stage::kStopped;
  stopped_between_ = true;
  act(member_->stop_began(StopReason::kPlatform, SIGTERM, {}));
  say_good_bye();
}

void Host::say_good_bye() {
  after(kGoodbye, [this] { hurry(); });
}

/// In the middle of its life a worker comes to the store, which is the leader's.
void Host::worker_starts(int round, int worker) {
  world_.worker_starts(*this, round);
  if (!schedule_.joins() || index_ == 0) return;
  const int process = round * kProcessesOfRound + this->round().first_rank() + worker;
  const Micros lives = part(round).workers[static_cast<std::size_t>(worker)].lives;
  timeline_.after(lives / 2, [this, round, process] {
    Host* leader = world_.leader();
    if (gone() || leader == nullptr) return;
    leader->run([this, leader, round, process] { leader->join_store(index_, round, process); });
  });
}

/// The store of another round is not there any more.
void Host::join_store(int host, int round, int process) {
  if (!begun() || this->round().number() != round) return;
  act(hub_->joined(host, process));
  if (process % 2 == 0) act(hub_->late(std::chrono::seconds(1)));
}

void Host::perform(const coordination::member_action::LookFor& action) {
  expect(begun() && action.pid / kProcessesOfRound == round().number(),
         "looks for a process of another round");
  act(member_->came(action.pid % kProcessesOfRound));
}

void Host::perform(const coordination::member_action::TellLate&) {
  expect(begun() && !is_between(), "is to say who is late when no round runs");
}

void Host::perform(const coordination::hub_action::Came& action) {
  expect(came_.insert(action.rank).second, "a worker of another round has come");
}

void Host::lose_store() {
  const auto status = sys::ExitStatus::killed(SIGSEGV);
  note("the store is gone");
  if (stage_ == Stage::kRunning) lost_store_ = !rounds_.back()->lose_store(status);
  if (stage_ == Stage::kAttending) tell_lost_store();
}

/// The workers of other hosts may still need it when ours have ended.
void Host::tell_lost_store() {
  if (verdict_) return;
  end_.store = sys::ExitStatus::killed(SIGSEGV);
  end_.success = false;
  end_.reason = StopReason::kStoreEnded;
  end_.stop_at = clock();
  act(member_->stop_began(StopReason::kStoreEnded, 0, "the rendezvous store is gone"));
  act(member_->ended({end_, {}}));
}

void Host::tell_peers(StopReason reason, int signal) {
  note("tells its peers to stop");
  act(member_->stop_began(reason, signal, "a worker failed"));
}

void Host::round_over() {
  note("its part is over");
  stage_ = Stage::kAttending;
  ended_at_ = timeline_.now();
  end_ = round().host_end();
  act(member_->ended({end_, {}}));
  if (lost_store_) tell_lost_store();
  if (stop_came_at_) hurry_at(*stop_came_at_ + budget());
  if (pending_ && stage_ == Stage::kBetween) return stop_between();
  if (std::exchange(pending_, false)) stop_signal();
}

Micros Host::budget() const {
  return schedule_.stop_leaders + schedule_.stop_groups + 1100 * kMillisecond + kSpare;
}

/// There is no time left for the others.
void Host::hurry() {
  if (gone()) return;
  hurried_ = true;
  act(member_->hurry());
  expect(verdict_.has_value(), "has to go, and nothing to report");
  leave_when_done();
}

void Host::hurry_at(Micros when) {
  timeline_.at(std::max(timeline_.now(), when), [this] { run([this] { hurry(); }, true); });
}

std::optional<Micros> Host::stopped_at() const {
  return begun() ? round().stopped_at() : std::nullopt;
}

std::optional<Micros> Host::begun_at() const {
  return begun() ? std::optional(round().begun_at()) : std::nullopt;
}

Micros Host::set_up() const { return part(round().number()).set_up; }

Micros Host::set_ups() const {
  Micros all = 0;
  for (const auto& round : rounds_) all += part(round->number()).set_up;
  return all;
}

}  // namespace trainit::simulation
