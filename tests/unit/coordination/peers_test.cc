#include "coordination/peers.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "loopback.h"

using namespace trainit;
using namespace trainit::coordination;
using namespace std::chrono_literals;
using testing::Client;
using testing::make_loop;
using testing::run_until;

namespace {

const std::vector<std::string> kTwo = {"algo-1", "algo-2"};

/// Hosts of one job, in one loop.
struct Fixture {
  explicit Fixture(std::vector<std::string> names = kTwo) : hosts(std::move(names)) {}

  std::unique_ptr<Peers> host(int rank, int workers = 2) {
    Peers::Setup setup;
    setup.hosts = hosts;
    setup.host_rank = rank;
    setup.leader = "127.0.0.1";
    setup.named = named;
    if (workers > 0) setup.report = message::Report{.slots = workers, .facts = {}};
    setup.key = key;
    setup.control_port = listener.port();
    setup.limits.beat = beat;
    setup.limits.lost = lost;
    setup.limits.meet = meet_limit;
    setup.limits.withdraw = withdraw_limit;
    setup.common.store = {"algo-1", 29500};
    setup.restarts = restarts;
    setup.listener = rank == 0 ? &listener : nullptr;
    auto opened = Peers::open(loop, std::move(setup),
                              {.info = [this](const std::string& what) { said += what; },
                               .warning = [this](const std::string& what) { warned += what; }});
    REQUIRE(opened);
    return std::move(*opened);
  }

  static std::optional<Error> nothing() { return std::nullopt; }

  environment::Agreement meet(Peers& peers) {
    const auto agreement = peers.meet(nothing);
    REQUIRE_MESSAGE(agreement.has_value(), (agreement ? "" : agreement.error().message));
    return *agreement;
  }

  std::vector<std::string> hosts;
  bool named = false;  ///< the names have addresses
  sys::Duration beat = 20ms, lost = 1h /* the machine may be busy */, meet_limit = 15min,
                withdraw_limit = 1h;
  sys::EventLoop loop = make_loop();
  sys::Listener listener = testing::listen_here();
  JobKey key = testing::key_of("job");
  diagnose::RestartLimits restarts;
  std::string said, warned;
};

message::Ended well() {
  message::Ended ended;
  ended.end.success = true;
  return ended;
}

}  // namespace

TEST_CASE("two hosts meet, agree on ranks and end together, the leader last") {
  Fixture it;
  auto leader = it.host(0, 3), follower = it.host(1, 2);
  const environment::Agreement first = it.meet(*leader), second = it.meet(*follower);
  CHECK(first.first_rank == 0);
  CHECK(second.first_rank == 3);
  CHECK(second.world_size == 5);
  CHECK(second.host_count == 2);
  CHECK(second.store.address == "127.0.0.1");  // where the leader was reached
  leader->ended(well());
  CHECK_FALSE(leader->done());
  follower->ended(well());
  run_until(it.loop, [&] { return follower->done(); });
  REQUIRE(follower->verdict());
  CHECK(follower->verdict()->success());
  follower.reset();
  run_until(it.loop, [&] { return leader->done(); });
  CHECK(leader->verdict()->success());
  CHECK(it.warned == "");
}

TEST_CASE("what stops one host stops the other, once") {
  Fixture it;
  auto leader = it.host(0), follower = it.host(1);
  it.meet(*leader);
  it.meet(*follower);
  std::vector<message::Stop> at_leader, at_follower;
  leader->on_stop([&](const message::Stop& why) { at_leader.push_back(why); });
  follower->on_stop([&](const message::Stop& why) { at_follower.push_back(why); });
  follower->stop_began(StopReason::kWorkerFailed, 0, "rank 2 ended with code 7");
  run_until(it.loop, [&] { return !at_leader.empty(); });
  CHECK(at_leader.front().host == "algo-2");
  CHECK(at_leader.front().text == "rank 2 ended with code 7");
  leader->ended({});
  follower->ended({});
  run_until(it.loop, [&] { return follower->done(); });
  CHECK(at_leader.size() == 1);
  CHECK(at_follower.empty());
}

TEST_CASE("a host that goes without a word is lost to the other") {
  Fixture it;
  auto leader = it.host(0), follower = it.host(1);
  it.meet(*leader);
  it.meet(*follower);
  bool stopped = false;
  leader->on_stop([&](const message::Stop& why) {
    stopped = true;
    CHECK(why.reason == StopReason::kHostLost);
    leader->ended(well());
  });
  follower.reset();
  run_until(it.loop, [&] { return leader->done(); });
  CHECK(stopped);
  CHECK_FALSE(leader->verdict()->success());
  CHECK(leader->verdict()->failure.find("algo-2") != std::string::npos);
}

TEST_CASE("a host that is stopped before it is ready for another round begins none") {
  Fixture it;
  it.restarts.most = 1;
  auto leader = it.host(0), follower = it.host(1);
  it.meet(*leader);
  it.meet(*follower);
  message::Ended failed;
  failed.end.evidence.resize(1);
  failed.end.evidence.front().status = sys::ExitStatus::exited(7);
  leader->ended(failed);
  follower->ended(well());
  run_until(it.loop, [&] { return leader->again() && follower->again(); });
  int turns = 0;
  CHECK_FALSE(follower->meet_again([&] { return ++turns > 5; }));  // it has told the leader
  CHECK_FALSE(leader->meet_again([] { return true; }));
  leader->hurry();
  CHECK(leader->verdict()->exit_code == 7);
}

TEST_CASE("a leader without time waits for nobody") {
  Fixture it;
  auto leader = it.host(0), follower = it.host(1);
  it.meet(*leader);
  it.meet(*follower);
  leader->ended(well());
  CHECK_FALSE(leader->done());
  leader->hurry();
  CHECK(leader->done());
  CHECK_FALSE(leader->verdict()->success());
}

TEST_CASE("who is in a hurry before its part is over waits for nobody when it is") {
  Fixture it;
  auto leader = it.host(0), follower = it.host(1);
  it.meet(*leader);
  it.meet(*follower);
  follower->hurry();
  CHECK_FALSE(follower->done());
  follower->ended(well());
  CHECK(follower->done());
}

TEST_CASE("a leader that is stopped while hosts are missing stays until the others have heard it") {
  Fixture it({"algo-1", "algo-2", "algo-3"});
  auto leader = it.host(0), follower = it.host(1);
  const auto met = leader->meet([&]() -> std::optional<Error> {
    if (follower->addresses().empty()) return std::nullopt;  // not through yet
    return Error{"stopped by SIGTERM", 143};
  });
  REQUIRE_FALSE(met);
  CHECK(met.error().exit_code == 143);
  REQUIRE(follower->done());
  const auto heard = follower->meet(Fixture::nothing);
  REQUIRE_FALSE(heard);
  CHECK(heard.error().message.find("stopped by SIGTERM") != std::string::npos);
}

TEST_CASE("a host that cannot take part waits for the others, and no longer than it has time for") {
  Fixture it({"algo-1", "algo-2", "algo-3"});
  constexpr int kNoPart = 0;
  const Error why{"there is no train.py", 127};
  const auto never = [] { return false; };
  const std::string said = "there is no train.py";
  SUBCASE("it leads, and all come") {
    auto leader = it.host(0, kNoPart), one = it.host(1), other = it.host(2);
    leader->withdraw(why, never, 15min);
    for (const auto& host : {&one, &other}) {
      const auto met = (*host)->meet(Fixture::nothing);
      REQUIRE_FALSE(met);
      CHECK(met.error().message == "algo-1: " + said);
      CHECK(met.error().exit_code == 127);
    }
  }
  SUBCASE("it follows, and only the leader is there") {
    it.withdraw_limit = 50ms;
    auto follower = it.host(2, kNoPart), leader = it.host(0);
    follower->withdraw(why, never, 15min);
    const auto met = leader->meet(Fixture::nothing);
    REQUIRE_FALSE(met);
    CHECK(met.error().message == "algo-3: " + said);
  }
  SUBCASE("it follows, and another one comes later") {
    auto follower = it.host(2, kNoPart), leader = it.host(0);
    std::unique_ptr<Peers> other;
    it.loop.after(100ms, [&] { other = it.host(1); });
    follower->withdraw(why, never, 15min);
    REQUIRE(other != nullptr);
    const auto met = other->meet(Fixture::nothing);
    REQUIRE_FALSE(met);
    CHECK(met.error().message == "algo-3: " + said);
  }
  SUBCASE("it leads, and is stopped while it waits") {
    auto leader = it.host(0, kNoPart), one = it.host(1);
    leader->withdraw(
        why, [&] { return !one->addresses().empty(); }, 15min);
    const auto met = one->meet(Fixture::nothing);
    REQUIRE_FALSE(met);
    CHECK(met.error().message == "algo-1: " + said);
  }
  SUBCASE("the leader does not come") {
    auto follower = it.host(2, kNoPart);
    follower->withdraw(why, never, 1ms);
    CHECK(follower->done());
  }
  SUBCASE("one of two does not come") {
    it.withdraw_limit = 200ms;
    auto leader = it.host(0, kNoPart), one = it.host(1);
    leader->withdraw(why, never);
    CHECK(leader->done());
    const auto met = one->meet(Fixture::nothing);
    REQUIRE_FALSE(met);
    CHECK(met.error().message == "algo-1: " + said);
  }
}

TEST_CASE("a host that is stopped while hosts are missing does not wait for a silent leader") {
  Fixture it;
  std::unique_ptr<Connection> silent;
  const auto door =
      Door::open(it.loop, {.listener = it.listener,
                           .key = it.key,
                           .hosts = kTwo,
                           .is_allowed = [](const sys::Address&) { return true; },
                           .knows_hosts = [] { return true; },
                           .why_closed = [] { return std::string(); },
                           .joined =
                               [&](int, const sys::Address&, auto connection) {
                                 silent = std::move(connection);
                                 REQUIRE(silent->listen({.received = [](const Message&) {}}));
                               },
                           .complain = [](const std::string& what) { FAIL(what); }});
  REQUIRE(door);
  auto follower = it.host(1);
  sys::TimePoint stopped_at;
  const auto met = follower->meet([&]() -> std::optional<Error> {
    if (silent == nullptr || follower->addresses().empty()) return std::nullopt;
    stopped_at = sys::Clock::now();
    return Error{"stopped by SIGTERM", 143};
  });
  REQUIRE_FALSE(met);
  CHECK(met.error().message == "stopped by SIGTERM");
  CHECK(sys::Clock::now() - stopped_at < 1900ms);  // a good part of a second, and a busy machine
}

TEST_CASE("a host that never reaches its leader says at its deadline what kept it from it") {
  Fixture it;
  it.lost = it.meet_limit = 1s;
  const int port = it.listener.port();
  { const sys::Listener closed = std::move(it.listener); }
  auto follower = it.host(1);
  const auto met = follower->meet(Fixture::nothing);
  REQUIRE_FALSE(met);
  CHECK(met.error().message ==
        fmt::format("the hosts of this job did not come together within 1.0 s: the leader "
                    "127.0.0.1 refuses port {}",
                    port));
}

TEST_CASE("the end of a host's former connection is not that of its new one") {
  Fixture it;
  it.beat = 1h;
  auto leader = it.host(0);
  const auto welcome = [&](const Client& client) {
    run_until(it.loop, [&] { return client.last<message::Welcome>() != nullptr; });
  };
  auto former = std::make_unique<Client>(it.loop, it.listener, it.key, "algo-2");
  welcome(*former);
  Client anew(it.loop, it.listener, it.key, "algo-2");
  welcome(anew);
  former.reset();
  Client stranger(it.loop, it.listener, it.key, "algo-9");  // heard after that end
  run_until(it.loop, [&] { return stranger.last<message::Refusal>() != nullptr; });
  message::Report report;
  report.slots = 2;
  anew.connection.send(report);
  run_until(it.loop, [&] { return anew.closed || anew.last<message::Agreed>() != nullptr; });
  CHECK_FALSE(anew.closed);
}

TEST_CASE("two hosts that take themselves for the same one are told of") {
  Fixture it({"algo-1", "algo-2", "algo-3"});
  it.meet_limit = 1min;
  auto leader = it.host(0), one = it.host(1), other = it.host(1);
  const std::string odd =
      "algo-2 connects again and again: another host may have its name or its --node-rank too";
  run_until(it.loop, [&] { return !it.warned.empty(); });
  CHECK(it.warned == odd);
  // And whoever waits for the third hears of it.
  const auto met = leader->meet([&]() -> std::optional<Error> {
    if (it.said.find("algo-3 (not heard from); " + odd) == std::string::npos) return std::nullopt;
    return Error{"heard"};
  });
  CHECK(met.error().message == "heard");
}

TEST_CASE(
    "a host on the leader's machine is asked for a process of it, and the leader hears who came") {
  Fixture it;
  auto leader = it.host(0, 3), follower = it.host(1, 2);
  it.meet(*leader);
  it.meet(*follower);
  CHECK(leader->ranks() == std::vector<HostRanks>{{"algo-1", 0, 3}, {"algo-2", 3, 2}});
  CHECK(follower->ranks().empty());
  std::vector<pid_t> asked;
  std::vector<int> came;
  sys::Duration late{};
  follower->on_arrivals({.look_for =
                             [&](pid_t process) {
                               asked.push_back(process);
                               follower->came(4);
                             },
                         .late = [&](sys::Duration after) { late = after; },
                         .came = [](int) { FAIL("told"); }});
  leader->on_arrivals({.look_for = [](pid_t) { FAIL("asked itself"); },
                       .late = [](sys::Duration) { FAIL("told itself"); },
                       .came = [&](int rank) { came.push_back(rank); }});
  leader->joined(sys::Address::parse("10.0.0.7").value(), 31);  // nobody's
  leader->joined(std::nullopt, 32);
  run_until(it.loop, [&] { return !came.empty(); });
  leader->joined(sys::Address::parse("127.0.0.1").value(), 33);  // its very address
  leader->late(60s);
  run_until(it.loop, [&] { return late != sys::Duration{} && came.size() == 2; });
  CHECK(asked == std::vector<pid_t>{32, 33});
  CHECK(came == std::vector<int>{4, 4});
  CHECK(late == sys::Duration(60s));
  follower->on_arrivals({});
  leader->joined(std::nullopt, 34);
  leader->ended(well());
  follower->ended(well());
  run_until(it.loop, [&] { return follower->done(); });
  CHECK(asked.size() == 2);
}

TEST_CASE(
    "a host is asked for processes from where it has come itself, and from where its name is") {
  Fixture it({"127.0.0.1", "127.0.0.9"});
  it.named = true;
  auto leader = it.host(0), follower = it.host(1);
  it.meet(*leader);
  it.meet(*follower);
  std::vector<pid_t> asked;
  follower->on_arrivals(
      {.look_for = [&](pid_t process) { asked.push_back(process); }, .late = {}, .came = {}});
  leader->joined(sys::Address::parse("127.0.0.7").value(), 31);
  leader->joined(sys::Address::parse("127.0.0.1").value(), 32);
  leader->joined(sys::Address::parse("127.0.0.9").value(), 33);
  run_until(it.loop, [&] { return asked.size() == 2; });
  CHECK(asked == std::vector<pid_t>{32, 33});
}
