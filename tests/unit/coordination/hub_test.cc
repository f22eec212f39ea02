#include "coordination/hub.h"

#include <doctest/doctest.h>
#include <signal.h>

#include "told.h"

using namespace trainit;
using namespace trainit::coordination;
using namespace std::chrono_literals;
using Told = std::vector<std::string>;

namespace {

/// The hub of three hosts, and its clock.
class Leader {
 public:
  explicit Leader(int restarts = 0)
      : hub_({{"algo-1", "algo-2", "algo-3"}, {}, {}, {.most = restarts}}, now_) {}

  Told joins(int host, int slots = 2, const std::string& program = "train.py") {
    Told all = testing::told(hub_.connected(host, now_));
    message::Report report;
    report.slots = slots;
    report.facts = {{"the program", program, true}};
    for (std::string& text : hears(host, report)) all.push_back(std::move(text));
    return all;
  }
  Told hears(int host, const Message& message) {
    return testing::told(hub_.received(host, message, now_));
  }
  Told loses(int host) {
    return testing::told(hub_.disconnected(host, "ended without a word", now_));
  }
  Told tick() { return testing::told(hub_.tick(now_)); }
  Told stops(int host, StopReason reason = StopReason::kWorkerFailed, int signal = 0) {
    return hears(host, message::StopBegan{reason, signal, "rank 3 failed"});
  }
  Told ends(int host, bool success = true) {
    message::Ended ended;
    ended.end.success = success;
    if (!success) {
      diagnose::Evidence evidence;
      evidence.rank = 3;
      evidence.status = sys::ExitStatus::exited(7);
      evidence.exited_at = now_;
      ended.end.evidence = {evidence};
    }
    return hears(host, ended);
  }
  /// All but the silent one go on sending heartbeats.
  Told lives(sys::Duration time, int silent = -1) {
    Told all;
    for (const sys::TimePoint end = now_ + time; now_ < end;) {
      now_ += 1s;
      for (int host = 0; host < 3; ++host) {
        if (host != silent) hears(host, message::Heartbeat{to_wire(now_), 0, 0});
      }
      for (std::string& text : tick()) all.push_back(std::move(text));
    }
    return all;
  }
  Leader& after(sys::Duration time) {
    now_ += time;
    return *this;
  }
  /// All parts of a round of which a worker of algo-2 failed.
  Told fails() {
    stops(1);
    ends(0, true);
    ends(2, true);
    return ends(1, false);
  }
  Told asks(int host, int process) { return testing::told(hub_.joined(host, process)); }
  Told is_late() const { return testing::told(hub_.late(60s)); }
  Told is_ready(int host, int round = 1) { return hears(host, message::Ready{round}); }
  Leader& met() {
    for (const int host : {0, 1, 2}) joins(host);
    return *this;
  }
  Hub& hub() { return hub_; }
  sys::TimePoint now() const { return now_; }

 private:
  sys::TimePoint now_ = sys::TimePoint(1h);
  Hub hub_;
};

}  // namespace

TEST_CASE("ranks are given when all are there, also to hosts with different numbers of workers") {
  Leader leader;
  CHECK(leader.joins(2, 4) == Told{});
  CHECK(leader.joins(0, 1) == Told{});
  CHECK(leader.hub().missing() == "1 of 3 hosts: algo-2 (not heard from)");
  CHECK(leader.hub().is_open());
  CHECK(leader.joins(1, 2) == Told{"0: agreed 0 of 7", "1: agreed 1 of 7", "2: agreed 3 of 7"});
  CHECK_FALSE(leader.hub().is_open());
  CHECK(leader.hub().why_closed() ==
        "the job has begun already without this host, or with another of its name");
}

TEST_CASE("who is there is told who is missing, when that changes") {
  Leader leader;
  leader.joins(0);
  leader.hub().note(1, "no address yet");
  CHECK(leader.tick() ==
        Told{"0: waiting for 2 of 3 hosts: algo-2 (no address yet), algo-3 (not heard from)"});
  CHECK(leader.tick() == Told{});
  leader.joins(2);
  CHECK(leader.tick() == Told{"0: waiting for 1 of 3 hosts: algo-2 (no address yet)",
                              "2: waiting for 1 of 3 hosts: algo-2 (no address yet)"});
  CHECK(leader.loses(2) == Told{});
  CHECK(leader.tick() == Told{"0: waiting for 2 of 3 hosts: algo-2 (no address yet), algo-3 (came, "
                              "and went again: ended without a word)"});
}

TEST_CASE("the hub's first word is a heartbeat, so that the clocks are known before the work") {
  Leader leader;
  const auto actions = leader.hub().connected(1, leader.now());
  REQUIRE(actions.size() == 1);
  CHECK(std::get<message::Heartbeat>(std::get<hub_action::Send>(actions[0]).message) ==
        message::Heartbeat{to_wire(leader.now()), 0, 0});
}

TEST_CASE("a host that comes anew is waited for anew") {
  Leader leader;
  leader.joins(1);
  leader.loses(1);
  leader.joins(0);
  leader.joins(2);
  CHECK(leader.hub().is_open());
  CHECK(leader.joins(1).size() == 3);
}

TEST_CASE("a silent host is disconnected before all are there too, and may come again") {
  Leader leader;
  leader.joins(0);
  leader.joins(1);
  const Told told = leader.lives(9s, 1);
  CHECK(std::find(told.begin(), told.end(), "disconnect 1") != told.end());
  leader.joins(2);
  CHECK(leader.joins(1).size() == 3);
}

TEST_CASE("hosts that differ do not begin, and each hears in what") {
  Leader leader;
  leader.joins(0);
  leader.joins(1, 2, "other.py");
  const std::string why =
      "the hosts of this job differ in the program: train.py on algo-1, other.py on algo-2; it has "
      "to be the same on all of them";
  CHECK(leader.joins(2) ==
        Told{"0: outcome 125 " + why, "1: outcome 125 " + why, "2: outcome 125 " + why});
  CHECK(leader.hub().why_closed() == why);
}

TEST_CASE("when a host never comes, all that are there hear which one") {
  Leader leader;
  leader.joins(0);
  leader.joins(2);
  CHECK(leader.lives(15min + 1s).back() ==
        "2: outcome 125 the hosts of this job did not come together within 15 min: missing 1 of "
        "3 hosts: algo-2 (not heard from)");
}

TEST_CASE("that a host cannot begin is everybody's outcome, also of who comes a little later") {
  Leader leader;
  leader.joins(0);
  leader.joins(1);
  message::Ended ended;
  ended.end.trouble = "no space left";
  ended.end.trouble_code = 125;
  const Told outcome = {"0: outcome 125 algo-2: no space left",
                        "1: outcome 125 algo-2: no space left"};
  SUBCASE("all come") {
    CHECK(leader.hears(1, ended) == Told{});
    CHECK(leader.hub().missing() == "2 of 3 hosts: algo-2 (cannot begin), algo-3 (not heard from)");
    leader.lives(10s);
    const Told told = leader.joins(2);
    CHECK(std::vector(told.end() - 3, told.end()) ==
          Told{outcome[0], outcome[1], "2: outcome 125 algo-2: no space left"});
    CHECK_FALSE(leader.hub().is_open());
    return;
  }
  SUBCASE("all report, as the one had, too") {
    CHECK(leader.hears(1, ended) == Told{});
    leader.loses(1);
    leader.joins(1);
    CHECK(leader.joins(2).back() == "2: outcome 125 algo-2: no space left");
    return;
  }
  SUBCASE("one does not come") {
    CHECK(leader.hears(1, ended) == Told{});
    leader.lives(15s);
    CHECK(leader.hub().is_open());
    CHECK(leader.lives(1s) == outcome);
  }
  SUBCASE("nobody waits any longer") {
    CHECK(leader.hears(1, ended) == Told{});
    CHECK(testing::told(leader.hub().wait_no_longer(leader.now())) == outcome);
  }
  SUBCASE("the hosts have no time left to meet") {
    leader.lives(15min - 5s);
    CHECK(leader.hears(1, ended) == Told{});
    CHECK(leader.lives(6s).back() == outcome[1]);
  }
  SUBCASE("it was asked to stop") {
    ended.end.reason = StopReason::kPlatform;
    CHECK(leader.hears(1, ended) == outcome);
  }
  SUBCASE("another one cannot either") {
    CHECK(leader.hears(1, ended) == Told{});
    ended.end.trouble = "no GPU";
    CHECK(leader.hears(0, ended) == Told{});
    CHECK(leader.lives(16s).back() == outcome[1]);
  }
  CHECK(leader.hears(0, message::Heard{}) == Told{});
  CHECK(leader.hears(1, message::Heard{}) == Told{"0: leave", "1: leave", "finish"});
  CHECK(testing::told(leader.hub().wait_no_longer(leader.now())) == Told{});
}

TEST_CASE("who goes after another host's worker has failed is not the cause of that") {
  Leader leader;
  leader.met().lives(5s);
  leader.after(100ms).stops(1);
  const auto failed_at = leader.now();
  leader.after(50ms).loses(2);
  leader.ends(0, true);
  message::Ended ended;
  ended.end.evidence.emplace_back();
  ended.end.evidence[0].rank = 3;
  ended.end.evidence[0].status = sys::ExitStatus::exited(7);
  ended.end.evidence[0].exited_at = failed_at;
  CHECK(leader.hears(1, ended).at(0).starts_with("0: outcome 7 algo-2 rank 3"));
}

TEST_CASE("a stop that began on one host is told to all, once") {
  Leader leader;
  leader.met();
  CHECK(leader.stops(1) == Told{"0: stop (algo-2 rank 3 failed)", "1: stop (algo-2 rank 3 failed)",
                                "2: stop (algo-2 rank 3 failed)"});
  CHECK(leader.stops(2) == Told{});
  CHECK(leader.ends(2, false) == Told{});
}

TEST_CASE("a host whose part ended badly stops the others, if nobody has done so") {
  Leader leader;
  leader.met();
  CHECK(leader.ends(1, false).at(0) == "0: stop (algo-2 its workers failed)");
}

TEST_CASE("the outcome is known when all parts are over, and all leave when all have heard it") {
  Leader leader;
  leader.met();
  CHECK(leader.ends(0) == Told{});
  CHECK(leader.lives(1h) == Told{});
  CHECK(leader.ends(2) == Told{});
  CHECK(leader.ends(1) == Told{"0: outcome 0 ", "1: outcome 0 ", "2: outcome 0 "});
  CHECK(leader.hears(0, message::Heard{}) == Told{});
  CHECK(leader.hears(2, message::Heard{}) == Told{});
  CHECK(leader.hears(1, message::Heard{}) == Told{"0: leave", "1: leave", "2: leave", "finish"});
  CHECK(leader.hub().finished());
  CHECK(leader.tick() == Told{});
}

TEST_CASE("files of one name are a clash, unless they are one file in one directory") {
  const auto lines_when = [](const std::string& place_of_last) {
    Leader leader;
    leader.met();
    Hub::Actions actions;
    for (const int host : {0, 1, 2}) {
      message::Ended ended;
      ended.end.success = true;
      if (host > 0) ended.model = {"model.pt"};
      ended.model_place = host < 2 ? "here" : place_of_last;
      actions = leader.hub().received(host, ended, leader.now());
    }
    const auto& send = std::get<hub_action::Send>(actions.at(0));
    return std::get<message::Outcome>(send.message).verdict.lines.size();
  };
  CHECK(lines_when("here") == 0);
  CHECK(lines_when("there") == 1);
  CHECK(lines_when("") == 1);
}

TEST_CASE("an end that is told again counts as it was told last") {
  Leader leader;
  leader.met();
  leader.ends(0);
  leader.ends(1);
  leader.ends(1, false);
  CHECK(leader.ends(2).at(0) == "0: outcome 7 algo-2 rank 3: ended with code 7 after 0.0 s");
}

TEST_CASE("a lost host stops the others, and is the outcome") {
  Leader leader;
  leader.met();
  SUBCASE("its connection ended") {
    CHECK(leader.loses(1) ==
          Told{"0: stop (algo-2 ended without a word)", "2: stop (algo-2 ended without a word)"});
  }
  SUBCASE("it is silent") {
    CHECK(leader.lives(8s, 1) == Told{});
    CHECK(leader.lives(1s, 1) == Told{"disconnect 1",
                                      "0: stop (algo-2 was not heard from for 9.0 s)",
                                      "2: stop (algo-2 was not heard from for 9.0 s)"});
  }
  CHECK(leader.ends(0) == Told{});
  const Told outcome = leader.ends(2);
  CHECK(outcome.size() == 2);
  CHECK(outcome.at(0).starts_with("0: outcome 1 algo-2: lost: "));
  CHECK(leader.ends(1) == Told{});
}

TEST_CASE("a failure that its host has told stays the cause when that host is lost") {
  Leader leader;
  leader.met().lives(5s);
  leader.stops(1);
  leader.lives(1s);
  leader.loses(1);
  leader.ends(0, true);
  CHECK(leader.ends(2, true).at(0) == "0: outcome 1 algo-2: rank 3 failed");
}

TEST_CASE("a failure of an earlier round is not that of a later one") {
  Leader leader(1);
  leader.met().fails();
  for (const int host : {0, 1, 2}) leader.is_ready(host);
  leader.lives(5s);
  leader.loses(1);
  leader.ends(0, true);
  CHECK(leader.ends(2, true).at(0).starts_with("0: outcome 1 algo-2: lost: "));
}

TEST_CASE("a host that is lost when its part was over is not missed") {
  Leader leader;
  leader.met();
  leader.ends(1);
  CHECK(leader.loses(1) == Told{"tell: algo-2 ended without a word after its part was over"});
  leader.ends(0);
  CHECK(leader.ends(2) == Told{"0: outcome 0 ", "2: outcome 0 "});
}

TEST_CASE("who does not say that it has heard the outcome is waited for, and not for ever") {
  Leader leader;
  leader.met();
  for (const int host : {0, 1, 2}) leader.ends(host);
  leader.hears(0, message::Heard{});
  SUBCASE("it is there, and says nothing") {
    leader.hears(1, message::Heard{});
    CHECK(leader.lives(8s) == Told{});
    CHECK(leader.lives(1s) == Told{"tell: algo-3 does not say that it has heard the outcome",
                                   "disconnect 2", "0: leave", "1: leave", "finish"});
  }
  SUBCASE("it went") {
    leader.hears(1, message::Heard{});
    CHECK(leader.loses(2) ==
          Told{"tell: algo-3 ended without a word before it had heard the outcome", "0: leave",
               "1: leave", "finish"});
  }
}

TEST_CASE("who has heard the outcome may be silent") {
  Leader leader;
  leader.joins(0);
  leader.joins(1);
  message::Ended ended;
  ended.end.trouble = "stopped by SIGTERM";
  ended.end.reason = StopReason::kPlatform;
  leader.hears(1, ended);
  leader.hears(0, message::Heard{});
  CHECK(leader.lives(8s, 0) == Told{});
  CHECK(leader.lives(1s, 0) == Told{"tell: algo-2 does not say that it has heard the outcome",
                                    "disconnect 1", "0: leave", "finish"});
}

TEST_CASE("a leader that stood still looks at what has come before it takes anybody for lost") {
  Leader leader;
  leader.met();
  leader.lives(3s);
  CHECK(leader.after(60s).tick() == Told{});
  CHECK(leader.lives(3s) == Told{});
  CHECK(leader.lives(8s, 2) == Told{});
  CHECK(leader.lives(1s, 2).at(0) == "disconnect 2");
}

TEST_CASE("what was read before the first tick after standing still makes nobody younger") {
  Leader leader;
  leader.met();
  leader.lives(3s);
  leader.after(60s);
  for (const int host : {0, 1, 2})
    leader.hears(host, message::Heartbeat{to_wire(leader.now()), 0, 0});
  leader.tick();
  CHECK(leader.lives(9s, 2).at(0) == "disconnect 2");
}

TEST_CASE("a leader that stood still judges when it knows who has waited for it") {
  Leader leader;
  leader.met();
  leader.lives(3s);
  leader.ends(0);
  leader.after(60s);
  CHECK(leader.ends(1) == Told{});
  CHECK(leader.ends(2) == Told{});
  CHECK(leader.tick() == Told{});
  SUBCASE("all have, because they stood still too") {
    CHECK(leader.lives(1s) == Told{"0: outcome 0 ", "1: outcome 0 ", "2: outcome 0 "});
  }
  SUBCASE("one has not, and reports a failure") {
    leader.loses(1);
    CHECK(
        leader.lives(1s).at(0) ==
        "0: outcome 1 algo-1: all workers ended well, but this host had stood still for 59 s, and "
        "others did not wait for it");
  }
}

TEST_CASE("workers that failed begin again when all hosts are ready, with the same ranks") {
  Leader leader(2);
  leader.met();
  const std::string again = "again 1 after 1.0 s, algo-2 rank 3: ended with code 7 after 0.0 s";
  CHECK(leader.fails() == Told{"0: " + again, "1: " + again, "2: " + again});
  CHECK(leader.is_ready(0) == Told{});
  CHECK(leader.is_ready(2) == Told{});
  CHECK(leader.is_ready(2) == Told{});
  CHECK(leader.is_ready(1) == Told{"0: agreed 0 of 6, round 1", "1: agreed 2 of 6, round 1",
                                   "2: agreed 4 of 6, round 1"});
  CHECK_FALSE(leader.hub().is_open());
  CHECK(leader.stops(2).size() == 3);  // of the new round
  leader.ends(0);
  leader.ends(1);
  CHECK(leader.ends(2, false)[0].starts_with("0: again 2 after 2.0 s, algo-3 rank 3"));
  CHECK(leader.is_ready(0, 1) == Told{});  // that was long ago
  leader.is_ready(1, 2);
  leader.is_ready(2, 2);
  CHECK(leader.is_ready(0, 2)[1] == "1: agreed 2 of 6, round 2");
  CHECK(leader.fails()[0] == "0: outcome 7 algo-2 rank 3: ended with code 7 after 0.0 s");
}

TEST_CASE("a round that ends well ends the job, whatever the one before was") {
  Leader leader(1);
  leader.met();
  leader.fails();
  for (const int host : {0, 1, 2}) leader.is_ready(host);
  leader.ends(0);
  leader.ends(1);
  CHECK(leader.ends(2) == Told{"0: outcome 0 ", "1: outcome 0 ", "2: outcome 0 "});
}

TEST_CASE("a stop that comes to a host whose part is over is a stop of the job") {
  Leader leader(3);
  leader.met();
  leader.stops(1);
  leader.ends(1, false);
  CHECK(leader.stops(1, StopReason::kPlatform, SIGTERM) == Told{});
  leader.ends(0);
  CHECK(leader.ends(2)[0] == "0: outcome 7 algo-2 rank 3: ended with code 7 after 0.0 s");
}

TEST_CASE("a host that has gone when its part was over would never be ready: the job ends") {
  Leader leader(3);
  leader.met();
  leader.stops(1);
  leader.ends(1, false);
  leader.loses(1);
  leader.ends(0);
  const Hub::Actions actions = leader.hub().received(2, message::Ended(), leader.now());
  const auto& send = std::get<hub_action::Send>(actions.at(0));
  const auto* outcome = std::get_if<message::Outcome>(&send.message);
  REQUIRE(outcome != nullptr);
  CHECK(outcome->verdict.exit_code == 7);
  CHECK(outcome->verdict.lines.back() == "not restarted: algo-2 ended without a word");
}

TEST_CASE("a job that has lost a host does not begin again, and says so") {
  Leader leader(3);
  leader.met();
  leader.ends(0);
  leader.ends(2);
  const Hub::Actions actions = leader.hub().disconnected(1, "ended without a word", leader.now());
  for (const auto& action : actions) {
    const auto* send = std::get_if<hub_action::Send>(&action);
    const auto* outcome = send == nullptr ? nullptr : std::get_if<message::Outcome>(&send->message);
    if (outcome != nullptr) CHECK(outcome->verdict.lines.back() == "not restarted: algo-2 is lost");
  }
  CHECK(leader.hears(0, message::Heard{}) == Told{});
  CHECK(leader.hears(2, message::Heard{}).back() == "finish");
}

TEST_CASE("between two rounds a stop, a loss or trouble ends the job with what had failed") {
  const auto lines_after = [](const auto& happens) {
    Leader leader(3);
    leader.met();
    leader.fails();
    leader.is_ready(0);
    const Hub::Actions actions = happens(leader);
    for (const auto& action : actions) {
      const auto* send = std::get_if<hub_action::Send>(&action);
      const auto* outcome =
          send == nullptr ? nullptr : std::get_if<message::Outcome>(&send->message);
      if (outcome == nullptr) continue;
      CHECK(outcome->verdict.exit_code == 7);
      return outcome->verdict.lines.back();
    }
    return std::string("no outcome");
  };
  CHECK(lines_after([](Leader& leader) {
          return leader.hub().received(2, message::StopBegan{StopReason::kPlatform, SIGTERM, ""},
                                       leader.now());
        }) == "not restarted: a stop was asked for");
  CHECK(lines_after([](Leader& leader) {
          return leader.hub().disconnected(1, "ended without a word", leader.now());
        }) == "not restarted: algo-2 ended without a word");
  CHECK(lines_after([](Leader& leader) {
          message::Ended ended;
          ended.end.trouble = "no program";
          return leader.hub().received(2, ended, leader.now());
        }) == "not restarted: algo-3: no program");
}

TEST_CASE("a host that falls silent between two rounds is missed too") {
  Leader leader(3);
  leader.met();
  leader.fails();
  for (const int host : {0, 1}) leader.is_ready(host);
  const Told told = leader.lives(12s, 2);
  CHECK(std::find(told.begin(), told.end(),
                  "0: outcome 7 algo-2 rank 3: ended with code 7 after 0.0 s") != told.end());
}

TEST_CASE("a host is asked for a process that has come from it, and says which worker that is") {
  Leader leader;
  leader.joins(0);
  leader.joins(1);
  CHECK(leader.asks(1, 32) == Told{});
  CHECK(leader.hub().ranks().empty());
  leader.joins(2, 3);
  CHECK(leader.hub().ranks() ==
        std::vector<HostRanks>{{"algo-1", 0, 2}, {"algo-2", 2, 2}, {"algo-3", 4, 3}});
  CHECK(leader.asks(1, 32) == Told{"1: joined by 32"});
  CHECK(leader.asks(2, 32) == Told{"2: joined by 32"});
  CHECK(leader.hears(2, message::Came{0, 4}) == Told{"rank 4 came"});
  CHECK(leader.hears(2, message::Came{0, 6}) == Told{"rank 6 came"});
  for (const int not_its_own : {3, 7, -1}) {
    CHECK(leader.hears(2, message::Came{0, not_its_own}) == Told{});
  }
  leader.loses(1);
  CHECK(leader.asks(1, 33) == Told{});
}

TEST_CASE("who has come in one round has not come in another") {
  Leader leader(1);
  leader.met();
  CHECK(leader.asks(1, 32) == Told{"1: joined by 32"});
  CHECK(leader.hears(1, message::Came{1, 2}) == Told{});
  leader.fails();
  CHECK(leader.asks(1, 32) == Told{});
  CHECK(leader.hears(1, message::Came{0, 2}) == Told{});
  for (const int host : {0, 1, 2}) leader.is_ready(host);
  CHECK(leader.asks(1, 32) == Told{"1: joined by 32, round 1"});
  CHECK(leader.hears(1, message::Came{0, 2}) == Told{});
  CHECK(leader.hears(1, message::Came{1, 2}) == Told{"rank 2 came"});
}

TEST_CASE("one who has come and ended at once is heard of when the job is judged already") {
  Leader leader;
  leader.met();
  for (const int host : {0, 1, 2}) leader.ends(host);
  CHECK(leader.asks(2, 32) == Told{"2: joined by 32"});
  CHECK(leader.hears(2, message::Came{0, 5}) == Told{"rank 5 came"});
  for (const int host : {0, 1, 2}) leader.hears(host, message::Heard{});
  CHECK(leader.asks(2, 33) == Told{});
  CHECK(leader.hears(2, message::Came{0, 4}) == Told{});
}

TEST_CASE("a host is not asked for ever more processes") {
  Leader leader(1);
  leader.met();
  int asked = 0;
  while (asked < 10'000 && !leader.asks(1, 1000 + asked).empty()) ++asked;
  CHECK(asked == 4096);
  CHECK(leader.asks(2, 32) == Told{"2: joined by 32"});
  leader.fails();
  for (const int host : {0, 1, 2}) leader.is_ready(host);
  CHECK(leader.asks(1, 32) == Told{"1: joined by 32, round 1"});
}

TEST_CASE("all other hosts that are there are to say who is late, unless all are being stopped") {
  Leader leader(1);
  CHECK(leader.is_late() == Told{});
  leader.met();
  CHECK(leader.is_late() == Told{"1: late after 1 min", "2: late after 1 min"});
  leader.fails();
  CHECK(leader.is_late() == Told{});
  for (const int host : {0, 1, 2}) leader.is_ready(host);
  CHECK(leader.is_late() == Told{"1: late after 1 min, round 1", "2: late after 1 min, round 1"});
  leader.stops(2);
  CHECK(leader.is_late() == Told{});
}
