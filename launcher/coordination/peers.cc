#include "coordination/peers.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace trainit::coordination {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookUp = 5s;
/// Until a name that had no address is looked up again, and how often that comes round before all
/// are whose hosts are not there: a container that is started anew may have another address.
constexpr auto kLookUpAgain = 1s;
constexpr int kLookUpAll = 3;

/// Waiting that is over sooner is not worth a line.
constexpr auto kPatience = 2s;
/// How long the leader stays for those that have not gone yet.
constexpr auto kGoodbye = 2s;
/// The same of any host that is stopped before it has begun: it is to end within a second.
constexpr auto kFarewell = 700ms;
/// How often the loop wakes up to see whether the launcher was told to stop.
constexpr auto kGlance = 100ms;
/// Whose connection was lost comes again, but not so often.
constexpr int kOddReturns = 3;

Member::Setup member_setup(const Peers::Setup& setup) {
  return {.host = setup.hosts[static_cast<std::size_t>(setup.host_rank)],
          .leader = setup.hosts.front(),
          .host_rank = setup.host_rank,
          .report = setup.report,
          .limits = setup.limits};
}

}  // namespace

Result<std::unique_ptr<Peers>> Peers::open(sys::EventLoop& loop, Setup setup, Say say) {
  std::unique_ptr<Peers> peers(new Peers(loop, std::move(setup), std::move(say)));
  TRAINIT_TRY(peers->begin());
  return peers;
}

Peers::Peers(sys::EventLoop& loop, Setup setup, Say say)
    : loop_(loop),
      setup_(std::move(setup)),
      say_(std::move(say)),
      resolver_(loop),
      member_(member_setup(setup_), sys::Clock::now()),
      began_at_(sys::Clock::now()) {}

Peers::~Peers() {
  for (const auto& timer : {beat_timer_, look_up_timer_, goodbye_timer_}) {
    if (timer) loop_.cancel(*timer);
  }
}

Result<void> Peers::begin() {
  beat_timer_ = loop_.after(setup_.limits.beat, [this] { tick(); });
  if (setup_.host_rank == 0) return begin_as_leader();
  begin_as_follower();
  return {};
}

Result<void> Peers::begin_as_leader() {
  const sys::TimePoint now = sys::Clock::now();
  hub_.emplace(Hub::Setup{setup_.hosts, setup_.common, setup_.limits, setup_.restarts}, now);
  members_.resize(setup_.hosts.size());
  returns_.resize(setup_.hosts.size());
  addresses_.resize(setup_.hosts.size());
  places_.resize(setup_.hosts.size());
  asked_.resize(setup_.hosts.size());
  door_ = TRAINIT_TRY(Door::open(
      loop_,
      {.listener = *setup_.listener,
       .key = setup_.key,
       .hosts = setup_.hosts,
       .is_allowed = [this](const sys::Address& address) { return is_allowed(address); },
       .knows_hosts = [this] { return knows_hosts(); },
       .why_closed = [this] { return hub_->is_open() ? std::string() : hub_->why_closed(); },
       .joined =
           [this](int host, const sys::Address& address, std::unique_ptr<Connection> connection) {
             member_joined(host, address, std::move(connection));
           },
       .complain = [this](const std::string& sentence) { say_.warning(sentence); }}));
  act(hub_->connected(0, now));
  act(member_.connected(now));
  look_up_hosts();
  return {};
}

void Peers::begin_as_follower() {
  dialer_ = std::make_unique<Dialer>(
      loop_, Dialer::Setup{
                 .leader = setup_.leader,
                 .port = setup_.control_port,
                 .key = setup_.key,
                 .host = setup_.hosts[static_cast<std::size_t>(setup_.host_rank)],
                 .joined =
                     [this](std::unique_ptr<Connection> connection, const sys::Address& address) {
                       hub_joined(std::move(connection), address);
                     },
                 .waiting =
                     [this](const std::string& what) {
                       member_.not_reached(what);
                       waiting_ = "waiting: " + what;
                     },
                 .refused = [this](const std::string& why) { gave_up_ = Error{why}; }});
  dialer_->dial();
}

/// Names that have no address yet, at once, again and again, and now and then the others.
void Peers::look_up_hosts() {
  look_up_timer_.reset();
  if (!setup_.named || !hub_->is_open()) return;
  const bool all = look_ups_++ % kLookUpAll == 0;
  for (std::size_t host = 0; host < setup_.hosts.size(); ++host) {
    const bool is_there = host == 0 || members_[host] != nullptr;
    if (asked_[host] || (!addresses_[host].empty() && (is_there || !all))) continue;
    asked_[host] = true;
    resolver_.look_up(setup_.hosts[host], kLookUp,
                      [this, host](const auto& found) { looked_up(host, found); });
  }
  look_up_timer_ = loop_.after(kLookUpAgain, [this] { look_up_hosts(); });
}

void Peers::looked_up(std::size_t host, const Result<std::vector<sys::Address>>& found) {
  asked_[host] = false;
  const bool was_known = !addresses_[host].empty();
  if (found) addresses_[host] = *found;
  if (was_known || members_[host] != nullptr || host == 0) return;
  hub_->note(static_cast<int>(host), found ? "not heard from" : "no address yet");
}

bool Peers::is_allowed(const sys::Address& address) const {
  if (!setup_.named || address.is_loopback()) return true;
  return std::any_of(addresses_.begin(), addresses_.end(), [&](const auto& of_host) {
    return std::find(of_host.begin(), of_host.end(), address) != of_host.end();
  });
}

bool Peers::knows_hosts() const {
  return std::none_of(addresses_.begin(), addresses_.end(),
                      [](const auto& of_host) { return of_host.empty(); });
}

std::vector<sys::Address> Peers::addresses() const {
  std::vector<sys::Address> all;
  for (const auto& of_host : addresses_) all.insert(all.end(), of_host.begin(), of_host.end());
  if (leader_address_) all.push_back(*leader_address_);
  return all;
}

/// Two hosts that both take themselves for this one would go on with that for ever.
void Peers::replace_member(int host) {
  const auto index = static_cast<std::size_t>(host);
  members_[index]->hang_up();
  closed_.push_back(std::move(members_[index]));
  if (++returns_[index] == kOddReturns) {
    const std::string sentence = fmt::format(
        "{} connects again and again: another host may have its name or its --node-rank too",
        setup_.hosts[index]);
    say_.warning(sentence);
    hub_->remark(sentence);
  }
  act(hub_->disconnected(host, "came anew", sys::Clock::now()));
}

void Peers::member_joined(int host, const sys::Address& address,
                          std::unique_ptr<Connection> connection) {
  const auto index = static_cast<std::size_t>(host);
  if (host == 0) return;  // that is this host itself
  if (!setup_.named) addresses_[index] = {address};
  places_[index] = {address, connection->is_local()};
  if (members_[index] != nullptr) replace_member(host);
  members_[index] = std::move(connection);
  const Result<void> listening =
      members_[index]->listen({.received =
                                   [this, host](const Message& message) {
                                     act(hub_->received(host, message, sys::Clock::now()));
                                   },
                               .closed =
                                   [this, host, index](const std::string& how) {
                                     closed_.push_back(std::move(members_[index]));
                                     act(hub_->disconnected(host, how, sys::Clock::now()));
                                   }});
  if (!listening) return members_[index].reset();
  act(hub_->connected(host, sys::Clock::now()));
}

void Peers::hub_joined(std::unique_ptr<Connection> connection, const sys::Address& address) {
  leader_address_ = address;
  to_hub_ = std::move(connection);
  const Result<void> listening = to_hub_->listen(
      {.received =
           [this](const Message& message) { act(member_.received(message, sys::Clock::now())); },
       .closed =
           [this](const std::string& how) {
             closed_.push_back(std::move(to_hub_));
             act(member_.disconnected(how, sys::Clock::now()));
             if (!met_ && !gave_up_) dialer_->dial_again();
           }});
  if (!listening) {
    gave_up_ = listening.error();
    return;
  }
  act(member_.connected(sys::Clock::now()));
}

/// Not a regular timer: who wakes up late has to see that it is late.
void Peers::tick() {
  const sys::TimePoint now = sys::Clock::now();
  beat_timer_ = loop_.after(setup_.limits.beat, [this] { tick(); });
  closed_.clear();
  if (hub_) act(hub_->tick(now));
  act(member_.tick(now));
}

template <class Action>
void Peers::act(std::vector<Action> actions) {
  for (Action& action : actions) {
    work_.push_back([this, action = std::move(action)] {
      std::visit([this](const auto& what) { this->perform(what); }, action);
    });
  }
  work();
}

void Peers::work() {
  if (std::exchange(working_, true)) return;
  while (!work_.empty()) {
    const auto next = std::move(work_.front());
    work_.pop_front();
    next();
  }
  working_ = false;
}

void Peers::perform(const member_action::Send& action) {
  if (hub_) return act(hub_->received(0, action.message, sys::Clock::now()));
  if (to_hub_ != nullptr) to_hub_->send(action.message);
}

void Peers::perform(const member_action::Disconnect&) {
  if (to_hub_ == nullptr) return;
  to_hub_->hang_up();
  closed_.push_back(std::move(to_hub_));
  if (!met_ && !gave_up_) dialer_->dial();
}

void Peers::perform(const member_action::Begin& action) {
  const bool again = std::exchange(met_, true);
  stop_.reset();
  agreement_ = action.agreement;
  // The address at which the leader was reached needs no other look-up.
  if (leader_address_) {
    for (environment::Endpoint* endpoint :
         {&agreement_->store, &agreement_->jax, &agreement_->nccl}) {
      if (endpoint->port != 0) endpoint->address = leader_address_->text();
    }
  }
  if (waited_ && !again) {
    say_.info(fmt::format("all {} hosts are there after {}", setup_.hosts.size(),
                          human_seconds(sys::in_seconds(sys::Clock::now() - began_at_))));
  }
}

void Peers::perform(const member_action::Wait& action) { waiting_ = "waiting for " + action.text; }

void Peers::perform(const member_action::GiveUp& action) { gave_up_ = action.error; }

void Peers::perform(const member_action::StopWorkers& action) {
  stop_ = action.why;
  if (on_stop_) on_stop_(*stop_);
}

void Peers::perform(const member_action::Conclude& action) { verdict_ = action.verdict; }

void Peers::perform(const member_action::BeginAgain& action) {
  again_ = action.what;
  agreement_.reset();
}

void Peers::perform(const member_action::LookFor& action) {
  if (arrivals_.look_for) arrivals_.look_for(action.pid);
}

void Peers::perform(const member_action::TellLate& action) {
  if (arrivals_.late) arrivals_.late(action.after);
}

void Peers::perform(const hub_action::Came& action) {
  if (arrivals_.came) arrivals_.came(action.rank);
}

void Peers::perform(const hub_action::Send& action) {
  if (action.host == 0) return act(member_.received(action.message, sys::Clock::now()));
  const auto& connection = members_[static_cast<std::size_t>(action.host)];
  if (connection != nullptr) connection->send(action.message);
}

void Peers::perform(const hub_action::Disconnect& action) {
  if (action.host == 0) return;
  auto& connection = members_[static_cast<std::size_t>(action.host)];
  if (connection == nullptr) return;
  connection->hang_up();
  closed_.push_back(std::move(connection));
}

void Peers::perform(const hub_action::Tell& action) { say_.warning(action.text); }

/// Who closes a connection in which something came that it has not read may take back what it said
/// last: so the others close first.
void Peers::perform(const hub_action::Finish&) {
  goodbye_timer_ = loop_.after(kGoodbye, [this] { goodbye_timer_.reset(); });
}

bool Peers::done() const {
  if (!verdict_ && !gave_up_) return false;
  if (hurried_) return true;
  if (!hub_ || !goodbye_timer_) return !hub_ || hub_->finished();
  return std::all_of(members_.begin(), members_.end(),
                     [](const auto& connection) { return connection == nullptr; });
}

Result<environment::Agreement> Peers::meet(
    const std::function<std::optional<Error>()>& interrupted) {
  while (!agreement_ && !gave_up_) {
    if (const auto stopped = interrupted()) {
      withdraw(
          *stopped, [] { return true; }, {}, StopReason::kPlatform);
      return tl::unexpected(*stopped);
    }
    const sys::TimePoint now = sys::Clock::now();
    if (!waiting_.empty() && now - began_at_ > kPatience) {
      waited_ = true;
      say_.info(std::exchange(waiting_, {}));
    }
    loop_.run_once(kGlance);
  }
  if (agreement_) return *agreement_;
  // The leader knows why, and the others should hear it.
  while (hub_ && !done() && !interrupted()) loop_.run_once(kGlance);
  return tl::unexpected(*gave_up_);
}

void Peers::withdraw(const Error& why, const std::function<bool()>& given_up,
                     sys::Duration patience, StopReason reason) {
  const sys::TimePoint until = sys::Clock::now() + patience;
  while (!hub_ && to_hub_ == nullptr && !done() && !given_up() && sys::Clock::now() < until)
    loop_.run_once(kGlance);
  message::Ended end;
  end.end.reason = reason;
  end.end.trouble = why.message;
  end.end.trouble_code = why.exit_code;
  ended(std::move(end));
  while (!done() && !given_up()) loop_.run_once(kGlance);
  if (hub_) act(hub_->wait_no_longer(sys::Clock::now()));
  if (!done()) say_good_bye();
  if (!done()) hurry();
}

std::optional<environment::Agreement> Peers::meet_again(const std::function<bool()>& given_up) {
  again_.reset();
  // Who says that it is ready may be the last, and then all begin.
  if (given_up()) return std::nullopt;
  act(member_.ready());
  while (!agreement_ && !done() && !given_up()) loop_.run_once(kGlance);
  return agreement_;
}

void Peers::stop_between(int signal) {
  act(member_.stop_began(StopReason::kPlatform, signal, {}));
  say_good_bye();
  if (!done()) hurry();
}

/// Who leaves while something is on its way to it takes back what it said last. Whoever stopped
/// this host does not wait for long.
void Peers::say_good_bye() {
  bool late = false;
  const auto timer = loop_.after(kFarewell, [&late] { late = true; });
  while (!done() && !late) loop_.run_once();
  loop_.cancel(timer);
}

void Peers::on_stop(std::function<void(const message::Stop& why)> stop) {
  on_stop_ = std::move(stop);
  if (stop_ && on_stop_) on_stop_(*stop_);
}

void Peers::stop_began(StopReason reason, int signal, const std::string& text) {
  act(member_.stop_began(reason, signal, text));
}

/// Also several hosts may be: behind one address of a network between them, or on one machine.
bool Peers::may_be_at(std::size_t host, const std::optional<sys::Address>& address) const {
  if (!address) return places_[host].local;
  const std::vector<sys::Address>& known = addresses_[host];
  return places_[host].address == *address ||
         std::find(known.begin(), known.end(), *address) != known.end();
}

void Peers::joined(const std::optional<sys::Address>& from, pid_t process) {
  for (std::size_t host = 1; host < places_.size(); ++host) {
    if (may_be_at(host, from)) act(hub_->joined(static_cast<int>(host), process));
  }
}

void Peers::late(sys::Duration after) {
  if (hub_) act(hub_->late(after));
}

void Peers::came(int rank) { act(member_.came(rank)); }

std::vector<HostRanks> Peers::ranks() const {
  return hub_ ? hub_->ranks() : std::vector<HostRanks>();
}

/// Before it there was nothing to report, whoever was in a hurry.
void Peers::ended(message::Ended end) {
  act(member_.ended(std::move(end)));
  if (hurried_) hurry();
}

void Peers::hurry() {
  hurried_ = true;
  act(member_.hurry());
}

}  // namespace trainit::coordination
