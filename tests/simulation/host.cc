#include "host.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace trainit::simulation {

using coordination::Message;
namespace message = coordination::message;

namespace {

constexpr Micros kShakeHands = 10 * kSecond, kConnect = 3 * kSecond;
constexpr const char* kKinds[] = {"challenge", "answer",     "welcome", "refusal", "heartbeat",
                                  "report",    "stop began", "ended",   "heard",   "waiting",
                                  "agreed",    "stop",       "outcome", "leave",   "again",
                                  "ready",     "joined",     "came",    "late"};

sys::Duration duration(Micros time) { return std::chrono::microseconds(time); }
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
  void received(const Message& message) override { host_.hub_hears(other_, message); }
  void closed(const std::string& how) override {
    host_.members_.erase(other_);
    host_.hub_loses(other_, how);
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
    if (!host_.begun() && !host_.gave_up_ && !host_.gone()) host_.dial();
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
      name_(fmt::format("algo-{}", index + 1)) {}

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
    late_.emplace_back(timer, std::move(what));
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
    setup.restarts = schedule_.restarts;
    hub_.emplace(std::move(setup), clock());
    act(hub_->connected(0, clock()));
    act(member_->connected(clock()));
  } else {
    dial();
  }
  for (const Window& freeze : own_.freezes) {
    timeline_.at(freeze.from, [this] { this->freeze(); });
    timeline_.at(freeze.to, [this, freeze] { thaw(freeze.to - freeze.from); });
  }
  if (own_.trouble_at) {
    after(*own_.trouble_at, [this] {
      if (stage_ == Stage::kMeeting) fail_set_up("no space left on the device", 125);
    });
  }
  after(kSecond, [this] { tick(); });
}

void Host::freeze() {
  note("freezes");
  ++frozen_;
}

/// What waits for a launcher is first what its timers are late with, or what has come.
void Host::thaw(Micros after) {
  if (own_.clock_freezes) stood_still_ += after;
  if (--frozen_ > 0) return;
  note("thaws");
  auto missed = std::exchange(late_, {});
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
  if (begun()) rounds_.back()->die();
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
      if (!to_hub_ && !gave_up_ && !begun()) dial();
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
    hub_loses(host, "came anew");
  }
  members_[host] = connection;
  connection->send(Connection::kHub, message::Welcome{});
  act(hub_->connected(host, clock()));
}

void Host::hub_hears(int host, const Message& message) {
  world_.hub_hears(host, message);
  act(hub_->received(host, message, clock()));
}

void Host::hub_loses(int host, const std::string& how) {
  world_.hub_loses(host);
  act(hub_->disconnected(host, how, clock()));
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
  if (hub_) return hub_hears(0, action.message);
  if (to_hub_) to_hub_->send(Connection::kMember, action.message);
}

void Host::perform(const coordination::member_action::Disconnect&) {
  note("ends its connection to the leader");
  expect(to_hub_ != nullptr, "ends a connection that it does not have");
  if (!to_hub_) return;
  to_hub_->close(Connection::kMember);
  to_hub_.reset();
  if (!begun() && !gave_up_) dial();
}

void Host::perform(const coordination::member_action::Wait& action) {
  expect(action.text.find("algo-") != std::string::npos, "waits and does not say for whom");
}

void Host::perform(const coordination::member_action::GiveUp& action) {
  note("gives up: " + action.error.message);
  expect(!gave_up_ && !begun(), "gave up late or twice");
  gave_up_ = action.error;
  leave_when_done();
}

void Host::perform(const coordination::member_action::Conclude& action) {
  note(fmt::format("concludes with {}: {}", action.verdict.exit_code, action.verdict.failure));
  expect(!verdict_, "concluded twice");
  verdict_ = action.verdict;
  if (stage_ == Stage::kBetween || stage_ == Stage::kStopped) {
    // Unless all others had agreed on another one meanwhile.
    expect(heard_ || verdict_->failure == again_->verdict.failure || verdict_->exit_code == 143,
           "concludes with another failure than that of the last round");
  } else {
    expect(ended(), "concluded before its part was over");
    expect(!begun() || is_of_round(verdict_->failure, round().number()),
           "concludes with the failure of another round: " + verdict_->failure);
  }
  leave_when_done();
}

void Host::perform(const coordination::hub_action::Send& action) {
  world_.hub_says(action.host, action.message);
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
  world_.hub_loses(action.host);
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
  if (begun()) rounds_.back()->die();
  if (to_hub_) to_hub_->close(Connection::kMember);
  for (const auto& [host, connection] : members_) connection->close(Connection::kHub);
  members_.clear();
}

int Host::exit_code() const { return verdict_ ? verdict_->exit_code : gave_up_->exit_code; }
std::string Host::failure() const { return verdict_ ? verdict_->failure : gave_up_->message; }

}  // namespace trainit::simulation
