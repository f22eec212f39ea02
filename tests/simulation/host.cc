#include "host.h"

#include <fmt/core.h>
#include <signal.h>

#include <algorithm>
#include <utility>

namespace trainit::simulation {

using coordination::Message;
using diagnose::StopReason;
using supervise::Timer;
using sys::ExitStatus;
namespace event = supervise::event;
namespace action = supervise::action;
namespace message = coordination::message;

namespace {

constexpr Micros kGoodbye = 2 * kSecond, kShakeHands = 10 * kSecond, kConnect = 3 * kSecond;
/// From the first stop signal until somebody kills us, beside what its steps take.
constexpr Micros kSpare = kSecond;

constexpr const char* kKinds[] = {"challenge", "answer",     "welcome", "refusal", "heartbeat",
                                  "report",    "stop began", "ended",   "heard",   "waiting",
                                  "agreed",    "stop",       "outcome", "leave"};

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

coordination::Limits peer_limits(const Schedule& schedule) {
  coordination::Limits limits;
  limits.meet = duration(schedule.meet);
  return limits;
}

}  // namespace

/// The leader's end of a connection.
class Host::HubEnd : public End {
 public:
  HubEnd(Host& host, int other) : host_(host), other_(other) {}
  void received(const Message& message) override {
    host_.act(host_.hub_->received(other_, message, host_.clock()));
  }
  void closed(const std::string& how) override {
    host_.members_.erase(other_);
    host_.act(host_.hub_->disconnected(other_, how, host_.clock()));
    host_.leave_when_done();
  }

 private:
  Host& host_;
  int other_;
};

/// Another host's.
class Host::MemberEnd : public End {
 public:
  explicit MemberEnd(Host& host) : host_(host) {}
  void received(const Message& message) override {
    if (const auto* refusal = std::get_if<message::Refusal>(&message)) {
      host_.gave_up_ = Error{refusal->why};
      return host_.leave_when_done();
    }
    if (std::holds_alternative<message::Welcome>(message)) {
      host_.welcome_ = true;
      return host_.act(host_.member_->connected(host_.clock()));
    }
    if (host_.timeline_.traces() && !std::holds_alternative<message::Heartbeat>(message))
      host_.note(fmt::format("hears {}", kKinds[message.index()]));
    if (std::holds_alternative<message::Outcome>(message)) host_.heard_ = true;
    host_.act(host_.member_->received(message, host_.clock()));
  }
  void closed(const std::string& how) override {
    host_.to_hub_.reset();
    host_.note("the connection to the leader: " + how);
    host_.act(host_.member_->disconnected(how, host_.clock()));
    if (!host_.begun_ && !host_.gave_up_ && !host_.gone()) host_.dial();
  }

 private:
  Host& host_;
};

Host::Host(int index, const Schedule& schedule, Timeline& timeline, World& world)
    : index_(index),
      schedule_(schedule),
      own_(schedule.hosts[static_cast<std::size_t>(index)]),
      timeline_(timeline),
      world_(world),
      name_(fmt::format("algo-{}", index + 1)),
      workers_(own_.workers.size()) {}

sys::TimePoint Host::clock() const {
  const Micros now = timeline_.now() - stood_still_;
  return sys::TimePoint(duration(own_.skew + now + now * own_.drift / 1'000'000));
}

void Host::note(const std::string& what) {
  if (timeline_.traces()) timeline_.note(name_, what);
}

void Host::expect(bool promise, const std::string& broken) {
  if (!promise) world_.broken(name_ + ": " + broken);
}

void Host::run(std::function<void()> what, bool timer) {
  if (gone() || !started_) return;
  if (frozen_ > 0) {
    missed_.emplace_back(timer, std::move(what));
  } else {
    what();
  }
}

void Host::after(Micros delay, std::function<void()> what) {
  timeline_.after(delay, [this, what = std::move(what)] { run(what, true); });
}

void Host::start() {
  started_ = true;
  note("starts");
  message::Report report;
  report.slots = static_cast<int>(own_.workers.size());
  report.facts = {{"the program", own_.differs ? "other.py" : "train.py", true}};
  member_.emplace(
      coordination::Member::Setup{name_, "algo-1", index_, report, peer_limits(schedule_)},
      clock());
  if (index_ == 0) {
    coordination::Hub::Setup setup;
    for (std::size_t host = 0; host < schedule_.hosts.size(); ++host)
      setup.hosts.push_back(fmt::format("algo-{}", host + 1));
    setup.limits = peer_limits(schedule_);
    hub_.emplace(std::move(setup), clock());
    act(hub_->connected(0, clock()));
    act(member_->connected(clock()));
  } else {
    dial();
  }
  for (const Window& freeze : own_.freezes) {
    timeline_.at(freeze.from, [this] {
      note("freezes");
      ++frozen_;
    });
    timeline_.at(freeze.to, [this, freeze] {
      if (own_.clock_freezes) stood_still_ += freeze.to - std::max(freeze.from, Micros());
      thaw();
    });
  }
  if (own_.trouble_at) {
    after(*own_.trouble_at, [this] {
      if (!begun_) fail_set_up("no space left on the device", 125);
    });
  }
  after(kSecond, [this] { tick(); });
}

/// What waits for a launcher is first what its timers are late with, or what has come.
void Host::thaw() {
  if (--frozen_ > 0) return;
  note("thaws");
  auto missed = std::exchange(missed_, {});
  const bool timers_first = (schedule_.seed & 1) != 0;
  for (const bool timers : {timers_first, !timers_first}) {
    for (const auto& [timer, what] : missed) {
      if (timer == timers) run(what, timer);
    }
  }
}

void Host::die(bool with_a_word) {
  if (gone() || !started_) return;
  note(with_a_word ? "its launcher dies" : "has no power any more");
  died_ = true;
  for (Worker& worker : workers_) worker.runs = false;
  if (with_a_word) {
    if (to_hub_) to_hub_->close(Connection::kMember);
    for (const auto& [host, connection] : members_) connection->close(Connection::kHub);
  }
  world_.missed();
}

void Host::tick() {
  after(kSecond, [this] { tick(); });
  if (hub_) act(hub_->tick(clock()));
  act(member_->tick(clock()));
  leave_when_done();
}

void Host::dial() {
  const auto again = [this] {
    after(500 * kMillisecond + static_cast<Micros>(index_) * kMillisecond, [this] {
      if (!to_hub_ && !gave_up_ && !begun_) dial();
    });
  };
  Host* leader = world_.leader();
  if (!world_.network().passes(index_) || (leader != nullptr && leader->died_)) {
    after(kConnect, again);
    return;
  }
  if (leader == nullptr || leader->gone() || !leader->started_) return again();
  to_hub_ = world_.network().connect(index_);
  to_hub_->attach(Connection::kMember, std::make_unique<MemberEnd>(*this));
  welcome_ = false;
  timeline_.at(world_.network().arrival(index_), [this, leader, connection = to_hub_] {
    leader->run([this, leader, connection] { leader->answer(index_, connection); });
  });
  after(kShakeHands, [this, again, connection = to_hub_] {
    if (to_hub_ != connection || welcome_) return;
    connection->close(Connection::kMember);
    to_hub_.reset();
    again();
  });
}

void Host::answer(int host, const std::shared_ptr<Connection>& connection) {
  connection->attach(Connection::kHub, std::make_unique<HubEnd>(*this, host));
  if (!connection->is_open(Connection::kHub)) return;
  if (!hub_->is_open()) {
    connection->send(Connection::kHub, message::Refusal{hub_->why_closed(), true});
    connection->close(Connection::kHub);
    return;
  }
  if (const auto before = members_.find(host); before != members_.end()) {
    before->second->close(Connection::kHub);
    members_.erase(before);
    act(hub_->disconnected(host, "came anew", clock()));
  }
  members_[host] = connection;
  connection->send(Connection::kHub, message::Welcome{});
  act(hub_->connected(host, clock()));
}

void Host::act(coordination::Member::Actions actions) {
  for (auto& action : actions) {
    work_.push_back([this, action = std::move(action)] {
      std::visit([this](const auto& what) { perform(what); }, action);
    });
  }
  work();
}

void Host::act(coordination::Hub::Actions actions) {
  for (auto& action : actions) {
    work_.push_back([this, action = std::move(action)] {
      std::visit([this](const auto& what) { perform(what); }, action);
    });
  }
  work();
}

void Host::work() {
  if (std::exchange(working_, true)) return;
  while (!work_.empty()) {
    const auto next = std::move(work_.front());
    work_.pop_front();
    next();
  }
  working_ = false;
}

void Host::perform(const coordination::member_action::Send& action) {
  if (hub_) return act(hub_->received(0, action.message, clock()));
  if (to_hub_) to_hub_->send(Connection::kMember, action.message);
}

void Host::perform(const coordination::member_action::Disconnect&) {
  note("ends its connection to the leader");
  expect(to_hub_ != nullptr, "ends a connection that it does not have");
  if (!to_hub_) return;
  to_hub_->close(Connection::kMember);
  to_hub_.reset();
  if (!begun_ && !gave_up_) dial();
}

void Host::perform(const coordination::member_action::Begin& action) {
  note("begins");
  expect(!begun_, "began twice");
  expect(!gave_up_, "began after it had given up");
  begun_ = true;
  begun_at_ = timeline_.now();
  first_rank_ = action.agreement.first_rank;
  after(own_.set_up, [this] { begin_workers(); });
}

void Host::perform(const coordination::member_action::Wait& action) {
  expect(action.text.find("algo-") != std::string::npos, "waits and does not say for whom");
}

void Host::perform(const coordination::member_action::GiveUp& action) {
  note("gives up: " + action.error.message);
  expect(!gave_up_ && !begun_, "gave up late or twice");
  gave_up_ = action.error;
  leave_when_done();
}

void Host::perform(const coordination::member_action::StopWorkers& action) {
  note("is to stop its workers: " + action.why.host + " " + action.why.text);
  expect(!std::exchange(stop_workers_, true), "was to stop its workers twice");
  stop_ = action.why;
  if (machine_) tell(event::PeersStop{stop_->reason, stop_->signal});
}

void Host::perform(const coordination::member_action::Conclude& action) {
  note(fmt::format("concludes with {}: {}", action.verdict.exit_code, action.verdict.failure));
  expect(!verdict_, "concluded twice");
  expect(ended(), "concluded before its part was over");
  verdict_ = action.verdict;
  leave_when_done();
}

void Host::perform(const coordination::hub_action::Send& action) {
  if (action.host == 0) {
    if (std::holds_alternative<message::Outcome>(action.message)) heard_ = true;
    return act(member_->received(action.message, clock()));
  }
  if (const auto found = members_.find(action.host); found != members_.end())
    found->second->send(Connection::kHub, action.message);
}

void Host::perform(const coordination::hub_action::Disconnect& action) {
  note(fmt::format("disconnects algo-{}", action.host + 1));
  expect(action.host != 0, "the leader lost itself");
  if (const auto found = members_.find(action.host); found != members_.end()) {
    found->second->close(Connection::kHub);
    members_.erase(found);
  }
}

void Host::perform(const coordination::hub_action::Tell& action) { note("tells: " + action.text); }

void Host::perform(const coordination::hub_action::Finish&) {
  note("everybody has heard the outcome");
  expect(!std::exchange(hub_finished_, true), "finished twice");
  after(kGoodbye, [this] {
    goodbye_over_ = true;
    leave_when_done();
  });
  leave_when_done();
}

/// Before all have agreed the launcher goes at once; after it, when the others know.
void Host::fail_set_up(const std::string& trouble, int code) {
  if (machine_ || ended()) return;
  note("cannot begin: " + trouble);
  message::Ended ended;
  ended.end.trouble = trouble;
  ended.end.trouble_code = code;
  ended_at_ = timeline_.now();
  end_ = ended.end;
  if (!begun_) gave_up_ = Error{trouble, code};
  act(member_->ended(ended, clock()));
  if (!begun_) return leave();
  if (stop_came_at_) hurry_in_time();
}

void Host::begin_workers() {
  if (ended()) return;
  if (own_.trouble_after) return fail_set_up("no space left on the device", 125);
  machine_.emplace(static_cast<int>(workers_.size()), limits_of(schedule_));
  tell(event::Agreed{});
  if (stop_) tell(event::PeersStop{stop_->reason, stop_->signal});
  if (index_ == 0 && schedule_.store_ends) after(*schedule_.store_ends, [this] { lose_store(); });
}

void Host::tell(const supervise::Event& event) {
  if (machine_->finished()) return;
  const auto actions = machine_->on(event, clock());
  for (const supervise::Action& action : actions) carry_out(action);
  if (machine_->end().stop_at && !stopped_at_) stopped_at_ = timeline_.now();
}

void Host::carry_out(const supervise::Action& action) {
  if (const auto* spawn = std::get_if<action::Spawn>(&action)) {
    const Story& story = own_.workers[static_cast<std::size_t>(spawn->worker)];
    workers_[static_cast<std::size_t>(spawn->worker)].runs = true;
    const bool fails = story.code != 0 || story.signal != 0;
    const int index = spawn->worker;
    if (fails) {
      after(story.lives, [this, index] { worker_prints(index, false); });
      after(story.lives, [this, index] {
        if (workers_[static_cast<std::size_t>(index)].runs) world_.missed();
      });
    }
    post_end(index, story.lives + story.dying,
             story.signal != 0 ? ExitStatus::killed(story.signal) : ExitStatus::exited(story.code));
    after(0, [this, index] { tell(event::Spawned{index}); });
  } else if (const auto* leaders = std::get_if<action::SignalLeaders>(&action)) {
    signalled_ = true;
    signal_workers(leaders->signal);
  } else if (const auto* groups = std::get_if<action::SignalGroups>(&action)) {
    expect(stops_ > 1 ||
               timeline_.now() >= *stopped_at_ + std::min(schedule_.grace, schedule_.stop_leaders),
           "the workers' grace was cut short");
    signal_workers(groups->signal);
  } else if (const auto* tree = std::get_if<action::SignalTree>(&action)) {
    signal_workers(tree->signal);
  } else if (const auto* arm = std::get_if<action::ArmTimer>(&action)) {
    const int armed = ++timer_;
    after(micros(arm->delay), [this, armed, timer = arm->timer] {
      if (armed == timer_) tell(event::TimerFired{timer});
    });
  } else if (std::holds_alternative<action::CancelTimer>(action)) {
    ++timer_;
  } else if (const auto* peers = std::get_if<action::TellPeers>(&action)) {
    note("tells its peers to stop");
    act(member_->stop_began(peers->reason, machine_->end().stop_signal, "a worker failed",
                            clock()));
  } else if (std::holds_alternative<action::AwaitEmptyTree>(action)) {
    after(0, [this] { tell(event::TreeEmpty{}); });
  } else if (std::holds_alternative<action::AwaitDrain>(action)) {
    after(0, [this] { tell(event::OutputDrained{}); });
  } else if (std::holds_alternative<action::Finish>(action)) {
    ++timer_;
    after(0, [this] { finish_part(); });
  }
}

void Host::worker_prints(int index, bool communication) {
  Worker& worker = workers_[static_cast<std::size_t>(index)];
  const Story& story = own_.workers[static_cast<std::size_t>(index)];
  if (!worker.runs || worker.error_at != 0 || story.signal != 0) return;
  worker.error_at = coordination::to_wire(clock());
  worker.communication = communication || story.communication;
}

void Host::post_end(int index, Micros delay, ExitStatus status) {
  after(delay, [this, index, status] { worker_ends(index, status); });
}

void Host::worker_ends(int index, ExitStatus status) {
  Worker& worker = workers_[static_cast<std::size_t>(index)];
  if (!std::exchange(worker.runs, false)) return;
  note(fmt::format("worker {} {}", index, sys::describe(status)));
  worker.status = status;
  tell(event::Exited{index, status, signalled_});
  if (!status.success()) world_.missed();
}

void Host::signal_workers(int signal) {
  for (std::size_t index = 0; index < workers_.size(); ++index) {
    if (!workers_[index].runs) continue;
    const Story& story = own_.workers[index];
    const int number = static_cast<int>(index);
    if (signal == SIGKILL) {
      post_end(number, kMillisecond, ExitStatus::killed(SIGKILL));
    } else if (story.term_takes >= 0) {
      post_end(
          number, story.term_takes,
          story.term_code < 0 ? ExitStatus::killed(signal) : ExitStatus::exited(story.term_code));
    }
  }
}

/// Somebody that the workers talk to is gone.
void Host::miss_peer() {
  for (std::size_t index = 0; index < workers_.size(); ++index) {
    const Story& story = own_.workers[index];
    if (!workers_[index].runs || story.notices < 0) continue;
    const int number = static_cast<int>(index);
    after(story.notices, [this, number] {
      if (!workers_[static_cast<std::size_t>(number)].runs) return;
      worker_prints(number, true);
      worker_ends(number, ExitStatus::exited(1));
    });
  }
}

void Host::stop_signal() {
  note("SIGTERM");
  const bool again = ++stops_ > 1;
  if (!again) stop_came_at_ = timeline_.now();
  if (!machine_ && !ended()) return fail_set_up("stopped by SIGTERM before the start", 143);
  if (machine_ && !machine_->finished()) return tell(event::StopRequested{SIGTERM});
  if (!ended()) return;
  if (again) {
    hurried_ = true;
    return act(member_->hurry(clock()));
  }
  act(member_->stop_began(StopReason::kPlatform, SIGTERM, {}, clock()));
  hurry_in_time();
}

void Host::lose_store() {
  if (!machine_ || dead_store_) return;
  dead_store_ = true;
  note("the store is gone");
  if (!machine_->finished() && !machine_->end().leaders_down_at)
    return tell(event::StoreEnded{ExitStatus::killed(SIGSEGV)});
  lost_store_ = true;
  if (ended()) tell_lost_store();
}

/// The workers of other hosts may still need it when ours have ended.
void Host::tell_lost_store() {
  if (verdict_) return;
  end_.store = ExitStatus::killed(SIGSEGV);
  end_.success = false;
  end_.reason = StopReason::kStoreEnded;
  end_.stop_at = clock();
  act(member_->stop_began(StopReason::kStoreEnded, 0, "the rendezvous store is gone", clock()));
  act(member_->ended({end_, {}}, clock()));
}

void Host::finish_part() {
  if (ended()) return;
  note("its part is over");
  ended_at_ = timeline_.now();
  end_ = host_end();
  act(member_->ended({end_, {}}, clock()));
  if (lost_store_) tell_lost_store();
  if (stop_came_at_) hurry_in_time();
}

diagnose::HostEnd Host::host_end() const {
  const supervise::JobEnd& job = machine_->end();
  diagnose::HostEnd end;
  end.host = name_;
  end.workers = static_cast<int>(workers_.size());
  end.success = job.success();
  end.reason = job.reason;
  end.stop_signal = job.stop_signal;
  end.store = job.store;
  end.started_at = end.ended_at = clock();
  if (job.stop_at) end.stop_at = *job.stop_at;
  if (end.success) return end;
  for (std::size_t index = 0; index < workers_.size(); ++index) {
    const supervise::WorkerEnd& worker = job.workers[index];
    if (worker.started_at != sys::TimePoint())
      end.started_at = std::min(end.started_at, worker.started_at);
    diagnose::Evidence evidence;
    evidence.host = name_;
    evidence.rank = first_rank_ + static_cast<int>(index);
    evidence.status = worker.status.value_or(ExitStatus::killed(SIGKILL));
    evidence.stopped_by_us = worker.told_to_stop;
    if (worker.told_to_stop && job.stop_at) evidence.told_at = *job.stop_at;
    evidence.killed_by_us = job.kill_at && worker.ended_at >= *job.kill_at;
    evidence.exited_at = worker.ended_at;
    evidence.after = worker.ended_at - worker.started_at;
    if (workers_[index].error_at != 0) {
      evidence.first_error_at = coordination::from_wire(workers_[index].error_at);
      evidence.error.emplace();
      evidence.error->communication = workers_[index].communication;
      evidence.error->summary = workers_[index].communication
                                    ? "RuntimeError: Connection closed by peer"
                                    : "ValueError: root";
    }
    end.evidence.push_back(std::move(evidence));
  }
  return end;
}

Micros Host::budget() const {
  return schedule_.stop_leaders + schedule_.stop_groups + 1100 * kMillisecond + kSpare;
}

void Host::hurry_in_time() {
  timeline_.at(std::max(timeline_.now(), *stop_came_at_ + budget()), [this] {
    run(
        [this] {
          hurried_ = true;
          act(member_->hurry(clock()));
          leave_when_done();
        },
        true);
  });
}

void Host::leave_when_done() {
  if (gone() || (!verdict_ && !gave_up_)) return;
  const bool all_gone = hub_finished_ && (goodbye_over_ || members_.empty());
  if (hub_ && !hurried_ && !all_gone) return;
  leave();
}

void Host::leave() {
  if (gone()) return;
  note(fmt::format("leaves with {}", exit_code()));
  exited_at_ = timeline_.now();
  for (Worker& worker : workers_) worker.runs = false;
  if (to_hub_) to_hub_->close(Connection::kMember);
  for (const auto& [host, connection] : members_) connection->close(Connection::kHub);
  members_.clear();
}

bool Host::went_well() const {
  return std::all_of(workers_.begin(), workers_.end(), [](const Worker& worker) {
    return worker.status && worker.status->success();
  });
}

int Host::exit_code() const { return verdict_ ? verdict_->exit_code : gave_up_->exit_code; }
std::string Host::failure() const { return verdict_ ? verdict_->failure : gave_up_->message; }

}  // namespace trainit::simulation
