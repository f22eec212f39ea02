#include "coordination/member.h"

#include <doctest/doctest.h>
#include <signal.h>

#include "told.h"

using namespace trainit;
using namespace trainit::coordination;
using namespace std::chrono_literals;
using Told = std::vector<std::string>;

namespace {

/// The member of algo-2, and its clock.
class Follower {
 public:
  Follower() : member_(setup(), now_) {}

  Told connected() { return testing::told(member_.connected(now_)); }
  Told hears(const Message& message) { return testing::told(member_.received(message, now_)); }
  Told loses_leader() { return testing::told(member_.disconnected("ended without a word", now_)); }
  Told tick() { return testing::told(member_.tick(now_)); }
  Told hurry() { return testing::told(member_.hurry()); }
  Told is_asked_to_stop() {
    return testing::told(member_.stop_began(StopReason::kPlatform, SIGTERM, "a stop"));
  }
  Told has_trouble() {
    message::Ended ended;
    ended.end.trouble = "no program";
    ended.end.trouble_code = 127;
    return testing::told(member_.ended(ended));
  }
  Told is_ready() { return testing::told(member_.ready()); }
  Told comes(int rank) { return testing::told(member_.came(rank)); }
  Told stop_began() {
    return testing::told(member_.stop_began(StopReason::kWorkerFailed, 0, "rank 1 failed"));
  }
  Told ends(bool success) {
    message::Ended ended;
    ended.end.success = success;
    if (!success) {
      diagnose::Evidence evidence;
      evidence.host = "algo-2";
      evidence.rank = 1;
      evidence.status = sys::ExitStatus::exited(3);
      evidence.exited_at = now_;
      ended.end.evidence = {evidence};
    }
    return testing::told(member_.ended(ended));
  }
  Told hears_outcome(int code, const std::string& failure) {
    diagnose::Verdict verdict;
    verdict.exit_code = code;
    verdict.failure = failure;
    return hears(message::Outcome{verdict});
  }
  Told lives(sys::Duration time, bool heartbeats = true) {
    Told all;
    for (const sys::TimePoint end = now_ + time; now_ < end;) {
      now_ += 1s;
      if (heartbeats) hears(message::Heartbeat{to_wire(now_), 0, 0});
      for (std::string& text : tick()) all.push_back(std::move(text));
    }
    return all;
  }
  Follower& after(sys::Duration time) {
    now_ += time;
    return *this;
  }
  Follower& begun() {
    connected();
    hears(message::Agreed{});
    return *this;
  }
  /// Its own part of the first round has failed, and there is to be another one.
  Follower& between() {
    begun();
    stop_began();
    ends(false);
    diagnose::Verdict verdict;
    verdict.exit_code = 3;
    verdict.failure = "algo-2 rank 1: ended with code 3";
    hears(message::Again{1, 1s, verdict});
    return *this;
  }
  Member& member() { return member_; }
  sys::TimePoint now() const { return now_; }

 private:
  static Member::Setup setup() {
    return {.host = "algo-2",
            .leader = "algo-1",
            .host_rank = 1,
            .report = message::Report{},
            .limits = {}};
  }
  sys::TimePoint now_ = sys::TimePoint(1h);
  Member member_;
};

}  // namespace

TEST_CASE("a member reports when it is connected, says whom it waits for, and begins once") {
  Follower host;
  CHECK(host.connected() == Told{"report"});
  CHECK(host.hears(message::Waiting{"1 of 2 hosts: algo-3"}) == Told{"wait: 1 of 2 hosts: algo-3"});
  environment::Agreement agreement;
  agreement.first_rank = 4;
  CHECK(host.hears(message::Agreed{agreement}) == Told{"begin 4"});
  CHECK(host.hears(message::Agreed{agreement}) == Told{});
  CHECK(host.hears(message::Waiting{"x"}) == Told{});
}

TEST_CASE("the first heartbeat is answered at once, and later ones by the next") {
  Follower host;
  host.connected();
  const auto answer = host.member().received(message::Heartbeat{55, 0, 0}, host.now());
  REQUIRE(answer.size() == 1);
  CHECK(std::get<message::Heartbeat>(std::get<member_action::Send>(answer[0]).message) ==
        message::Heartbeat{to_wire(host.now()), 55, 0});
  CHECK(host.member().received(message::Heartbeat{66, 0, 0}, host.now()).empty());
  host.after(1s);
  const auto beat = host.member().tick(host.now());
  REQUIRE(beat.size() == 1);
  CHECK(std::get<message::Heartbeat>(std::get<member_action::Send>(beat[0]).message) ==
        message::Heartbeat{to_wire(host.now()), 66, 1'000'000});
}

TEST_CASE(
    "a connection that is lost before all have agreed is made anew, and nothing is given up") {
  Follower host;
  host.connected();
  SUBCASE("it ended") { CHECK(host.loses_leader() == Told{}); }
  SUBCASE("the leader is silent") { CHECK(host.lives(9s, false) == Told{"disconnect"}); }
  CHECK(host.hears(message::Agreed{}) == Told{});
  CHECK(host.connected() == Told{"report"});
  CHECK(host.hears(message::Agreed{}) == Told{"begin 0"});
}

TEST_CASE(
    "a member gives up when the hosts do not come together in time, and says who is missing") {
  Follower alone, connected;
  CHECK(alone.lives(15min + 10s) ==
        Told{"give up with 125: the hosts of this job did not come together within 15 min: "
             "the leader algo-1 was not reached"});
  CHECK(alone.member().over());
  connected.connected();
  connected.hears(message::Waiting{"1 of 2 hosts: algo-3"});
  CHECK(connected.lives(15min + 10s).back() ==
        "give up with 125: the hosts of this job did not come together within 15 min: 1 of 2 "
        "hosts: algo-3");
}

TEST_CASE("a member that gives up without the leader says what kept it from it at last") {
  const Told refused = {
      "give up with 125: the hosts of this job did not come together within 15 min: the leader "
      "algo-1 refuses port 29400"};
  Follower host;
  host.member().not_reached("the leader algo-1 has no address yet (no such name)");
  SUBCASE("it was never connected") {
    host.member().not_reached("the leader algo-1 refuses port 29400");
    CHECK(host.lives(15min + 10s) == refused);
  }
  SUBCASE("it was connected, and not for long") {
    host.connected();
    host.hears(message::Waiting{"1 of 2 hosts: algo-3"});
    host.loses_leader();
    SUBCASE("the leader is there no more") {
      host.member().not_reached("the leader algo-1 refuses port 29400");
      CHECK(host.lives(15min + 10s) ==
            Told{refused.front() + "; it had been waiting for 1 of 2 hosts: algo-3"});
    }
    SUBCASE("the time is over at once") {
      CHECK(host.lives(15min + 10s) ==
            Told{"give up with 125: the hosts of this job did not come together within 15 min: "
                 "the leader algo-1 ended without a word; it had been waiting for 1 of 2 hosts: "
                 "algo-3"});
    }
  }
  SUBCASE("it is connected, and does not know for whom they wait") {
    host.connected();
    CHECK(host.lives(15min + 10s).back() ==
          "give up with 125: the hosts of this job did not come together within 15 min: the "
          "leader algo-1 waits for others");
  }
}

TEST_CASE("an outcome before all have agreed is the end of it, and is heard") {
  Follower host;
  host.connected();
  CHECK(host.hears_outcome(125, "the hosts differ") ==
        Told{"heard", "give up with 125: the hosts differ"});
  CHECK(host.tick() == Told{});
}

TEST_CASE("a stop of the others stops the workers once, and not when they stop already") {
  Follower told, own;
  told.begun();
  message::Stop stop;
  stop.host = "algo-3";
  stop.text = "rank 7 failed";
  CHECK(told.hears(stop) == Told{"stop workers: algo-3 rank 7 failed"});
  CHECK(told.hears(stop) == Told{});
  CHECK(told.stop_began() == Told{});
  own.begun();
  CHECK(own.stop_began() == Told{"stop began (rank 1 failed)"});
  CHECK(own.stop_began() == Told{});
  CHECK(own.hears(stop) == Told{});
}

TEST_CASE("a stop signal that comes when the own part is over is told to the others") {
  Follower host;
  host.begun();
  CHECK(host.ends(true) == Told{"ended"});
  CHECK(host.stop_began() == Told{"stop began (rank 1 failed)"});
}

TEST_CASE("the outcome is reported when everybody knows it") {
  Follower host;
  host.begun();
  CHECK(host.ends(true) == Told{"ended"});
  CHECK(host.hears_outcome(0, "") == Told{"heard"});
  CHECK(host.hears_outcome(1, "another") == Told{});
  CHECK(host.ends(false) == Told{});
  CHECK(host.hears(message::Leave{}) == Told{"conclude with 0: "});
  CHECK(host.member().over());
  CHECK(host.loses_leader() == Told{});
}

TEST_CASE("who has heard the outcome and misses the last word reports it all the same") {
  Follower host;
  host.begun();
  host.ends(true);
  host.hears_outcome(0, "");
  SUBCASE("the leader is gone") { CHECK(host.loses_leader() == Told{"conclude with 0: "}); }
  SUBCASE("there is no more time") { CHECK(host.hurry() == Told{"conclude with 0: "}); }
}

TEST_CASE("what has come to light after the end is told too") {
  Follower host;
  host.begun();
  CHECK(host.ends(true) == Told{"ended"});
  CHECK(host.ends(false) == Told{"ended"});
  CHECK(host.hurry() == Told{"conclude with 3: algo-2 rank 1: ended with code 3 after 0.0 s"});
}

TEST_CASE("without the leader the workers are stopped, and its loss is what is reported") {
  Follower host;
  host.begun();
  SUBCASE("its connection ended") {
    CHECK(host.loses_leader() == Told{"stop workers: algo-1 ended without a word"});
    CHECK(host.ends(true).at(0).starts_with("conclude with 1: algo-1: lost: ended without a word"));
  }
  SUBCASE("it is silent") {
    CHECK(host.lives(8s, false) == Told{});
    CHECK(host.lives(1s, false) ==
          Told{"disconnect", "stop workers: algo-1 was not heard from for 9.0 s"});
    CHECK(host.ends(true).at(0).starts_with("conclude with 1: algo-1: lost: was not heard from"));
  }
  SUBCASE("the own part is over already") {
    host.ends(true);
    CHECK(host.loses_leader().at(0).starts_with("conclude with 1: algo-1: lost"));
  }
  SUBCASE("the workers are being stopped already") {
    host.stop_began();
    CHECK(host.loses_leader() == Told{});
    CHECK(host.ends(false).at(0).starts_with("conclude with "));
  }
  CHECK(host.member().over());
}

TEST_CASE("who hears no more says what it was told of first") {
  const message::Stop failure{StopReason::kWorkerFailed, "algo-3", 0, "rank 5 failed"};
  const Told conclusion{"conclude with 1: algo-3: rank 5 failed"};
  Follower host;
  host.begun();
  SUBCASE("the leader is lost while the workers are being stopped") {
    host.hears(failure);
    host.after(1s).loses_leader();
    CHECK(host.ends(true) == conclusion);
  }
  SUBCASE("there is no more time") {
    host.hears(failure);
    host.ends(true);
    CHECK(host.hurry() == conclusion);
  }
  SUBCASE("the workers had ended before") {
    host.ends(true);
    CHECK(host.hears(failure) == Told{});
    CHECK(host.hurry() == conclusion);
  }
  SUBCASE("another host was lost") {
    host.hears(message::Stop{StopReason::kHostLost, "algo-3", 0, "ended without a word"});
    host.after(1s).loses_leader();
    CHECK(host.ends(true).at(0).starts_with("conclude with 1: algo-3: lost: ended without a word"));
  }
}

TEST_CASE("what stopped an earlier round is not what a later one ended with") {
  Follower host;
  host.begun();
  host.hears(message::Stop{StopReason::kWorkerFailed, "algo-3", 0, "rank 5 failed"});
  host.ends(true);
  host.hears(message::Again{1, 1s, {}});
  host.is_ready();
  host.hears(message::Agreed{});
  host.loses_leader();
  CHECK(host.ends(true).at(0).starts_with("conclude with 1: algo-1: lost"));
}

TEST_CASE("success is not for one host to say") {
  Follower host;
  host.begun();
  host.ends(true);
  CHECK(host.hurry() ==
        Told{"conclude with 1: algo-2: its workers ended well, but it had to end before it could "
             "hear how the other hosts did"});
}

TEST_CASE("trouble before all have agreed is told to the leader, or reported alone without one") {
  Follower connected, alone;
  connected.connected();
  CHECK(connected.ends(false) == Told{"ended"});
  CHECK(connected.hears_outcome(3, "algo-2: trouble") == Told{"heard"});
  CHECK(connected.hears(message::Leave{}) == Told{"conclude with 3: algo-2: trouble"});
  CHECK(alone.ends(false).at(0).starts_with("conclude with 3: algo-2 rank 1"));
}

TEST_CASE("who stood still looks at what has come before it takes the leader for lost") {
  Follower host;
  host.begun();
  host.lives(5s);
  CHECK(host.after(60s).tick() == Told{});
  CHECK(host.lives(7s, false) == Told{});
  CHECK(host.lives(2s, false).back() == "stop workers: algo-1 was not heard from for 9.0 s");
}

TEST_CASE("what was read before the first tick after standing still makes the leader no younger") {
  Follower host;
  host.begun();
  host.lives(5s);
  host.after(60s).hears(message::Heartbeat{to_wire(host.now()), 0, 0});
  host.tick();
  CHECK(host.lives(9s, false).back() == "stop workers: algo-1 was not heard from for 9.0 s");
}

TEST_CASE("of many workers that failed those are told that say most") {
  Follower host;
  host.begun();
  message::Ended ended;
  for (int rank = 0; rank < 20; ++rank) {
    diagnose::Evidence evidence;
    evidence.rank = rank;
    evidence.status = sys::ExitStatus::exited(1);
    evidence.stopped_by_us = rank != 17;
    ended.end.evidence.push_back(evidence);
  }
  const auto actions = host.member().ended(ended);
  const auto& sent = std::get<message::Ended>(std::get<member_action::Send>(actions[0]).message);
  CHECK(sent.end.evidence.size() == kMostEvidence);
  CHECK(sent.end.evidence[0].rank == 17);
}

TEST_CASE("a member begins again when it is ready and all others are") {
  Follower host;
  host.begun();
  CHECK(host.hears(message::Again{1, 1s, {}}) == Told{});  // its own part is not over
  CHECK(host.is_ready() == Told{});
  host.stop_began();
  host.ends(false);
  CHECK(host.hears(message::Again{1, 1s, {}}) == Told{"begin again 1"});
  CHECK(host.is_ready() == Told{"ready 1"});
  environment::Agreement agreement;
  agreement.first_rank = 2;
  agreement.round = 1;
  CHECK(host.hears(message::Agreed{agreement}) == Told{"begin 2, round 1"});
  CHECK(host.stop_began() == Told{"stop began (rank 1 failed)"});
  CHECK(host.hears(message::Stop{StopReason::kWorkerFailed, "algo-1", 0, "x"}) == Told{});
  host.ends(true);
  CHECK(host.hears_outcome(0, "") == Told{"heard"});
}

TEST_CASE("a stop of the first round is none of the second") {
  Follower host;
  host.between();
  host.is_ready();
  host.hears(message::Agreed{});
  CHECK(host.hears(message::Stop{StopReason::kWorkerFailed, "algo-1", 0, "rank 0 failed"}) ==
        Told{"stop workers: algo-1 rank 0 failed"});
}

TEST_CASE("a stop is told to the leader also when the part of this host has failed already") {
  Follower host;
  host.begun();
  host.stop_began();
  CHECK(host.is_asked_to_stop() == Told{});  // it goes with the end of this host's part
  host.ends(false);
  CHECK(host.is_asked_to_stop() == Told{"stop began (a stop)"});
  CHECK(Follower().between().is_asked_to_stop() == Told{"stop began (a stop)"});
}

TEST_CASE("a member that is asked to stop while the others agree to begin again does not begin") {
  Follower host;
  host.between();
  host.is_ready();
  CHECK(host.is_asked_to_stop() == Told{"stop began (a stop)"});
  CHECK(host.hears(message::Agreed{}) == Told{"ended"});
  CHECK(host.hears(message::Stop{StopReason::kPlatform, "algo-2", SIGTERM, ""}) == Told{});
  SUBCASE("the others tell how the job ends") {
    CHECK(host.hears_outcome(143, "algo-2: stopped") == Told{"heard"});
    CHECK(host.hears(message::Leave{}) == Told{"conclude with 143: algo-2: stopped"});
  }
  SUBCASE("there is no time to wait for them") {
    CHECK(host.hurry()[0].starts_with(
        "conclude with 143: algo-2: stopped by SIGTERM before its workers were started again"));
  }
}

TEST_CASE("between two rounds a member that loses its leader reports the failure of the last") {
  Follower host;
  host.between();
  const Told told = host.loses_leader();
  REQUIRE(told.size() == 1);
  CHECK(told[0].starts_with("conclude with 3: algo-2 rank 1: ended with code 3"));
  CHECK(Follower().between().hurry()[0].starts_with("conclude with 3: "));
}

TEST_CASE("between two rounds trouble of this host is told, and the outcome still comes") {
  Follower host;
  host.between();
  CHECK(host.ends(true) == Told{});  // the last round is judged
  CHECK(host.has_trouble() == Told{"ended"});
  CHECK(host.hears_outcome(3, "algo-2 rank 1: exit code 3") == Told{"heard"});
  CHECK(host.hears(message::Leave{}) == Told{"conclude with 3: algo-2 rank 1: exit code 3"});
  Follower other;
  other.between();
  CHECK(other.hears_outcome(5, "algo-3 failed") == Told{"heard"});
  CHECK(other.hears(message::Leave{}) == Told{"conclude with 5: algo-3 failed"});
}

TEST_CASE("a member looks for a process of the round that runs, and tells the hub who has come") {
  Follower host;
  host.connected();
  CHECK(host.hears(message::Joined{0, 32}) == Told{});  // no worker runs
  CHECK(host.comes(4) == Told{});
  host.hears(message::Agreed{});
  CHECK(host.hears(message::Joined{0, 32}) == Told{"look for 32"});
  CHECK(host.hears(message::Joined{1, 32}) == Told{});
  CHECK(host.comes(4) == Told{"came 4"});
  host.ends(true);
  CHECK(host.hears(message::Joined{0, 33}) == Told{"look for 33"});  // it was quick
  CHECK(host.comes(5) == Told{"came 5"});
}

TEST_CASE("who has come in the last round has not come in the next") {
  Follower host;
  host.between();
  CHECK(host.hears(message::Joined{0, 32}) == Told{});
  CHECK(host.hears(message::Late{0, 60s}) == Told{});
  CHECK(host.comes(4) == Told{});
  environment::Agreement next;
  next.round = 1;
  host.hears(message::Agreed{next});
  CHECK(host.hears(message::Joined{0, 32}) == Told{});
  CHECK(host.hears(message::Late{0, 60s}) == Told{});
  CHECK(host.hears(message::Joined{1, 32}) == Told{"look for 32"});
  CHECK(host.comes(4) == Told{"came 4, round 1"});
  CHECK(host.hears(message::Late{1, 60s}) == Told{"tell who is late after 1 min"});
}

TEST_CASE("nobody is late on a host whose workers are being stopped") {
  Follower host;
  host.begun();
  CHECK(host.hears(message::Late{0, 60s}) == Told{"tell who is late after 1 min"});
  SUBCASE("for a reason of its own") { host.stop_began(); }
  SUBCASE("for another host's") { host.hears(message::Stop{}); }
  CHECK(host.hears(message::Late{0, 60s}) == Told{});
}

TEST_CASE("who has come is of no interest to a host without a leader") {
  Follower host;
  host.begun().loses_leader();
  CHECK(host.comes(4) == Told{});
}
