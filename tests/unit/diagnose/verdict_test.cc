#include "diagnose/verdict.h"

#include <doctest/doctest.h>
#include <signal.h>

#include "base/text.h"
#include "diagnose/failure_text.h"

using namespace trainit;
using namespace trainit::diagnose;
using namespace std::chrono_literals;
using sys::ExitStatus;

namespace {

sys::TimePoint at(std::chrono::milliseconds time) { return sys::TimePoint(time + 1h); }

HostEnd host(int number, std::vector<Evidence> evidence = {}) {
  HostEnd end;
  end.host = "algo-" + std::to_string(number);
  end.host_rank = number - 1;
  end.success = evidence.empty();
  end.started_at = at(0ms);
  end.ended_at = at(20s);
  for (Evidence& one : evidence) one.host = end.host;
  end.evidence = std::move(evidence);
  return end;
}

Evidence ended(int rank, ExitStatus status, std::chrono::milliseconds when) {
  Evidence evidence;
  evidence.rank = rank;
  evidence.status = status;
  evidence.exited_at = at(when);
  evidence.after = when;
  return evidence;
}

Evidence raised(int rank, bool communication, std::chrono::milliseconds when, int code = 1) {
  Evidence evidence = ended(rank, ExitStatus::exited(code), when);
  evidence.error.emplace();
  evidence.error->summary =
      communication ? "RuntimeError: Connection closed by peer" : "ValueError";
  evidence.error->communication = communication;
  evidence.first_error_at = at(when);
  return evidence;
}

Evidence stopped(Evidence evidence, std::chrono::milliseconds when) {
  evidence.stopped_by_us = true;
  evidence.told_at = at(when);
  return evidence;
}

LostHost lost(int number, std::chrono::milliseconds when) {
  return {"algo-" + std::to_string(number), number - 1, "was not heard from for 9 s", at(when),
          when};
}

Verdict verdict(const std::vector<HostEnd>& ends, const std::vector<LostHost>& gone = {},
                sys::Duration clock_error = {}) {
  return judge(ends, gone, clock_error).verdict;
}

ToldStop told_by(int number, std::chrono::milliseconds when) {
  return {StopReason::kWorkerFailed,
          "algo-" + std::to_string(number),
          0,
          "rank 4 (pid 9) ended with code 9 after 4.0 s",
          at(when),
          when};
}

std::string lines(const Verdict& verdict) { return join(verdict.lines, "\n"); }

}  // namespace

TEST_CASE("success is: all hosts are there, and all of them ended with success") {
  CHECK(verdict({host(1)}).success());
  CHECK(verdict({host(1), host(2), host(3)}).success());
  CHECK_FALSE(verdict({host(1), host(2)}, {lost(3, 5s)}).success());
  HostEnd unwell = host(2);
  unwell.success = false;
  CHECK_FALSE(verdict({host(1), unwell}).success());
}

TEST_CASE("one host: its worker's failure is the verdict, with its code") {
  const std::vector<HostEnd> ends = {
      host(1, {stopped(ended(0, ExitStatus::killed(SIGTERM), 3s), 2s), raised(1, false, 2s, 7)})};
  const Judgement judgement = judge(ends);
  CHECK(judgement.verdict.exit_code == 7);
  CHECK(judgement.verdict.cause_rank == 1);
  CHECK(judgement.verdict.failure.starts_with("algo-1 rank 1: ValueError"));
  CHECK(judgement.verdict.lines.at(0) == "first cause: " + summarize(ends[0].evidence[1]));
  CHECK(judgement.cause.evidence == &ends[0].evidence[1]);
}

TEST_CASE("the first cause is found on whatever host, be victims on others earlier") {
  const Verdict told = verdict({host(1, {raised(0, true, 1s), raised(1, true, 1100ms)}),
                                host(2, {raised(2, false, 2s, 3)}),
                                host(3, {stopped(ended(4, ExitStatus::killed(SIGTERM), 3s), 2s)})});
  CHECK(told.exit_code == 3);
  CHECK(told.cause_rank == 2);
  CHECK(told.failure.starts_with("algo-2 rank 2: ValueError"));
  CHECK(lines(told).find("algo-1 rank 0 had \"RuntimeError: Connection closed by peer\"") !=
        std::string::npos);
}

TEST_CASE("a cause that was ended by our stop has the code of the one that made us stop") {
  Evidence cause = stopped(raised(2, false, 1s, 1), 2s);
  cause.status = ExitStatus::killed(SIGTERM);
  const Verdict told = verdict({host(1, {raised(0, true, 1500ms, 9)}), host(2, {cause})});
  CHECK(told.cause_rank == 2);
  CHECK(told.exit_code == 9);
}

TEST_CASE("a cause that a signal ended, and none of ours, has a code of its own") {
  const auto with = [&](Evidence cause) {
    return verdict({host(1, {raised(0, true, 1500ms, 9), stopped(std::move(cause), 2s)})});
  };
  const Verdict killed = with(ended(1, ExitStatus::killed(SIGKILL), 2050ms));
  CHECK(killed.exit_code == 137);
  CHECK(killed.failure.starts_with("algo-1 rank 1: killed by SIGKILL after 2.0 s"));
  const Verdict crashed = with(ended(1, ExitStatus::killed(SIGSEGV), 4s));
  CHECK(crashed.exit_code == 139);
  CHECK(crashed.failure.starts_with("algo-1 rank 1: killed by SIGSEGV after 4.0 s"));
  CHECK(with(raised(1, false, 1s, 3)).exit_code == 9);
}

TEST_CASE("who came first of two hosts is only known as far as their clocks are") {
  const std::vector<HostEnd> ends = {host(1, {raised(0, false, 2s, 5)}),
                                     host(2, {raised(2, false, 2040ms, 6)})};
  CHECK(lines(verdict(ends, {}, 10ms)).find("clocks leave it open") == std::string::npos);
  const Verdict open = verdict(ends, {}, 50ms);
  CHECK(open.cause_rank == 0);
  CHECK(open.exit_code == 5);
  CHECK(open.lines.at(1) ==
        "  or, as the hosts' clocks leave it open: " + summarize(ends[1].evidence[0]));
  CHECK(open.lines.size() == 2);
  CHECK(open.failure == summarize(ends[0].evidence[0]) + "\nor " + summarize(ends[1].evidence[0]));
}

TEST_CASE("two workers of one host are in no doubt, whatever the clocks of hosts are") {
  const Verdict told =
      verdict({host(1, {raised(0, false, 2s), raised(1, false, 2001ms)}), host(2)}, {}, 50ms);
  CHECK(lines(told).find("clocks leave it open") == std::string::npos);
}

TEST_CASE("trouble of one host to start its workers explains everything") {
  HostEnd troubled = host(2);
  troubled.success = false;
  troubled.trouble = "no space left on the device";
  troubled.trouble_code = 125;
  const Verdict told = verdict({host(1, {raised(0, false, 1s, 3)}), troubled}, {lost(3, 1s)});
  CHECK(told.exit_code == 125);
  CHECK(told.failure == "algo-2: no space left on the device");
  CHECK(told.lines.at(0) == "first cause: algo-2: no space left on the device");
  CHECK(told.cause_rank == -1);
}

TEST_CASE("a store that ended is the cause on every host, and so of every error of communication") {
  HostEnd serving = host(1, {stopped(ended(0, ExitStatus::killed(SIGTERM), 4s), 3s)});
  serving.store = ExitStatus::killed(SIGSEGV);
  serving.stop_at = at(3s);
  SUBCASE("it stopped the workers") { serving.reason = StopReason::kStoreEnded; }
  SUBCASE("a worker missed it first") { serving.reason = StopReason::kWorkerFailed; }
  const Verdict told = verdict({serving, host(2, {raised(2, true, 2900ms)})});
  CHECK(told.exit_code == 1);
  CHECK(told.cause_rank == -1);
  CHECK(told.failure.starts_with("algo-1: the rendezvous store was killed by SIGSEGV"));
}

TEST_CASE("a store explains the last worker's error of communication when it was seen after it") {
  HostEnd serving = host(1, {raised(0, true, 2900ms)});
  serving.store = ExitStatus::killed(SIGSEGV);
  serving.ended_at = at(3s);
  const Verdict told = verdict({serving});
  CHECK(told.cause_rank == -1);
  CHECK(told.failure.starts_with("algo-1: the rendezvous store was killed by SIGSEGV"));
  CHECK(told.failure.find(" after 3.0 s") != std::string::npos);
}

TEST_CASE("a store that ended after a worker had failed by itself explains nothing") {
  HostEnd serving = host(1, {stopped(ended(0, ExitStatus::killed(SIGTERM), 4s), 3s)});
  serving.store = ExitStatus::killed(SIGSEGV);
  serving.reason = StopReason::kWorkerFailed;
  CHECK(verdict({serving, host(2, {raised(2, false, 2900ms, 4)})}).cause_rank == 2);
}

TEST_CASE("a lost host explains what came after it, and every error of communication") {
  SUBCASE("nobody else failed") {
    const Verdict told = verdict({host(1)}, {lost(2, 5s)});
    CHECK(told.exit_code == 1);
    CHECK(told.cause_rank == -1);
    CHECK(told.failure.starts_with("algo-2: lost: was not heard from for 9 s (after 5.0 s)"));
  }
  SUBCASE("workers missed it, before we did") {
    CHECK(verdict({host(1, {raised(0, true, 4900ms)})}, {lost(2, 5s)})
              .failure.starts_with("algo-2: lost"));
  }
  SUBCASE("a worker failed after it") {
    CHECK(verdict({host(1, {ended(0, ExitStatus::killed(SIGABRT), 6s)})}, {lost(2, 5s)})
              .failure.starts_with("algo-2: lost"));
  }
  SUBCASE("a worker failed before it") {
    const Verdict told = verdict({host(1, {raised(0, false, 4s, 3)})}, {lost(2, 5s)});
    CHECK(told.cause_rank == 0);
    CHECK(told.exit_code == 3);
  }
}

TEST_CASE("an error that a worker had survived when a host was lost does not explain the loss") {
  Evidence went_on = raised(2, false, 1s);
  went_on.exited_at = at(6s);
  went_on.after = 6s;
  const auto told = [&] { return verdict({host(1), host(2, {went_on})}, {lost(3, 3s)}); };
  CHECK(told().cause_rank == 2);
  went_on.error->last_line = "epoch 7";
  CHECK(told().failure.starts_with("algo-3: lost"));
}

TEST_CASE("a worker that failed before a host was lost is the cause if the clocks leave no doubt") {
  const std::vector<HostEnd> ends = {host(1), host(2, {raised(2, false, 1s, 7)})};
  CHECK(verdict(ends, {lost(3, 1020ms)}, 20ms).exit_code == 7);
  CHECK(verdict(ends, {lost(3, 1019ms)}, 20ms).failure.starts_with("algo-3: lost"));
}

TEST_CASE("a failure that was told goes before the later loss of who knew more of it") {
  const HostEnd victim = host(1, {stopped(ended(0, ExitStatus::killed(SIGTERM), 4500ms), 4100ms)});
  const auto failure = [](const HostEnd& end, std::span<const LostHost> gone) {
    return judge({&end, 1}, gone, {}, told_by(3, 4s)).verdict;
  };
  SUBCASE("its own host is lost") {
    const Verdict told = failure(victim, std::vector{lost(3, 5s)});
    CHECK(told.exit_code == 1);
    CHECK(told.cause_rank == -1);
    CHECK(told.failure.starts_with("algo-3: rank 4 (pid 9) ended with code 9 after 4.0 s\n"));
    CHECK(told.lines.at(0) == "first cause: algo-3: rank 4 (pid 9) ended with code 9 after 4.0 s");
    CHECK(told.lines.at(1) == "algo-3: lost: was not heard from for 9 s");
  }
  SUBCASE("another one is, which would have told us more") {
    CHECK(failure(victim, std::vector{lost(2, 5s)}).failure.starts_with("algo-3: rank 4"));
  }
  SUBCASE("there is no time to hear more") {
    CHECK(failure(victim, {}).failure.starts_with("algo-3: rank 4"));
    CHECK(failure(host(1), {}).failure == "algo-3: rank 4 (pid 9) ended with code 9 after 4.0 s");
  }
  SUBCASE("a host was lost before: it may be a consequence") {
    CHECK(
        failure(victim, std::vector{lost(2, 3s), lost(3, 5s)}).failure.starts_with("algo-2: lost"));
  }
  SUBCASE("a worker had failed before") {
    const HostEnd failed = host(1, {raised(0, false, 3900ms, 5)});
    CHECK(failure(failed, std::vector{lost(3, 5s)}).exit_code == 5);
  }
}

TEST_CASE("where it is known how that host's part ended, what it told counts no more") {
  const std::vector<HostEnd> ends = {
      host(1, {stopped(ended(0, ExitStatus::killed(SIGTERM), 4500ms), 4100ms)}),
      host(3, {raised(4, false, 4s, 9)})};
  const Verdict told = judge(ends, {}, {}, told_by(3, 4s)).verdict;
  CHECK(told.exit_code == 9);
  CHECK(told.failure.starts_with("algo-3 rank 4: ValueError"));
}

TEST_CASE("a stop of which one host alone tells is that of the host that was asked") {
  HostEnd end = host(2, {stopped(ended(2, ExitStatus::killed(SIGTERM), 3s), 2s)});
  end.stop_signal = SIGTERM;
  end.stop_at = at(2s);
  ToldStop told = told_by(1, 2s);
  told.reason = StopReason::kPlatform;
  told.signal = SIGTERM;
  told.text.clear();
  const Verdict stop = judge({&end, 1}, {}, {}, told).verdict;
  CHECK(stop.exit_code == 143);
  CHECK(stop.failure.starts_with("algo-1: stopped by the platform with SIGTERM after 2.0 s"));
}

TEST_CASE("the host of the cause is told too, since without ranks all workers are called 0") {
  const auto told = verdict({host(1, {stopped(ended(0, ExitStatus::killed(SIGTERM), 3s), 2s)}),
                             host(2, {raised(0, false, 2s, 3)})});
  CHECK(told.cause_rank == 0);
  CHECK(told.cause_host == 1);
}

TEST_CASE("of several lost hosts the first is the cause, and the others are told") {
  const Verdict told = verdict({host(1)}, {lost(3, 6s), lost(2, 5s)});
  CHECK(told.failure.starts_with("algo-2: lost"));
  CHECK(told.lines.back() == "algo-3: lost: was not heard from for 9 s");
}

TEST_CASE("a stop is told by the host that was asked, of several by the first") {
  const auto asked = [](int number, std::chrono::milliseconds when,
                        std::vector<Evidence> evidence) {
    HostEnd end = host(number, std::move(evidence));
    end.success = false;
    end.reason = StopReason::kPlatform;
    end.stop_signal = SIGTERM;
    end.stop_at = at(when);
    return end;
  };
  const Verdict told =
      verdict({host(1), asked(2, 6s, {stopped(ended(2, ExitStatus::killed(SIGTERM), 7s), 6s)}),
               asked(3, 5s, {stopped(ended(4, ExitStatus::exited(9), 7s), 5s)})});
  CHECK(told.failure.starts_with("algo-3: stopped by the platform with SIGTERM after 5.0 s"));
  CHECK(told.exit_code == 9);
  CHECK(told.cause_rank == -1);
  CHECK(
      verdict({asked(1, 5s, {stopped(ended(2, ExitStatus::killed(SIGTERM), 7s), 5s)})}).exit_code ==
      143);
}

TEST_CASE("what says most about the cause is kept when not all can be told") {
  std::vector<Evidence> gathered;
  for (int rank = 0; rank < 6; ++rank)
    gathered.push_back(stopped(ended(rank, ExitStatus::killed(SIGTERM), 3s), 2s));
  gathered.push_back(raised(6, true, 1s));
  gathered.push_back(raised(7, false, 2s));
  const std::vector<Evidence> kept = most_telling(gathered, 3);
  REQUIRE(kept.size() == 3);
  CHECK(kept[0].rank == 7);
  CHECK(kept[1].rank == 6);
  CHECK(kept[2].rank == 0);
  CHECK(most_telling(gathered, 8).size() == 8);
}
