#include "diagnose/restart.h"

#include <doctest/doctest.h>
#include <signal.h>

using namespace trainit;
using namespace trainit::diagnose;
using namespace std::chrono_literals;
using sys::ExitStatus;

namespace {

sys::TimePoint at(std::chrono::milliseconds time) { return sys::TimePoint(time + 1h); }

/// A host of two workers, of which one failed after 20 s and the other was told to stop.
HostEnd failed_host(int number, ExitStatus status = ExitStatus::exited(1)) {
  HostEnd end;
  end.host = "algo-" + std::to_string(number);
  end.started_at = at(0ms);
  end.stop_at = at(20s);
  end.ended_at = at(25s);
  Evidence cause;
  cause.rank = 2 * number;
  cause.status = status;
  Evidence stopped = cause;
  stopped.status = ExitStatus::killed(SIGTERM);
  stopped.stopped_by_us = true;
  end.evidence = {cause, stopped};
  return end;
}

std::string why_not(const RestartLimits& limits, const HostEnd& end, int restarts = 0,
                    const std::vector<LostHost>& lost = {}) {
  const HostEnd ends[] = {failed_host(1), end};
  const RestartChoice choice = choose_restart(limits, restarts, ends, lost);
  CHECK(choice.delay.has_value() == choice.why_not.empty());
  return choice.why_not;
}

}  // namespace

TEST_CASE("who asked for no restarts gets none, and no word about them") {
  const HostEnd end = failed_host(1);
  const RestartChoice choice = choose_restart({}, 0, {&end, 1});
  CHECK_FALSE(choice.delay);
  CHECK(choice.why_not.empty());
}

TEST_CASE("workers that failed begin again as often as the whole job may") {
  const RestartLimits limits{.most = 2};
  CHECK(why_not(limits, failed_host(2), 0).empty());
  CHECK(why_not(limits, failed_host(2), 1).empty());
  CHECK(why_not(limits, failed_host(2), 2) == "it was restarted 2 times already (--max-restarts)");
  CHECK(why_not({.most = 1}, failed_host(2), 1) ==
        "it was restarted once already (--max-restarts)");
}

TEST_CASE("the pause doubles with each restart, up to a minute or what was asked for") {
  const HostEnd end = failed_host(1);
  const auto delay = [&](std::chrono::milliseconds first, int restarts) {
    return choose_restart({.most = 100, .delay = first}, restarts, {&end, 1}).delay;
  };
  CHECK(delay(1s, 0) == 1s);
  CHECK(delay(1s, 1) == 2s);
  CHECK(delay(1s, 5) == 32s);
  CHECK(delay(1s, 6) == 60s);
  CHECK(delay(1s, 99) == 60s);
  CHECK(delay(0s, 3) == 0s);
  CHECK(delay(2min, 3) == 2min);
}

TEST_CASE("there is no restart after a stop, wherever it came") {
  HostEnd end = failed_host(2);
  end.stop_signal = SIGTERM;
  CHECK(why_not({.most = 3}, end) == "a stop was asked for");
}

TEST_CASE("there is none of a job that has lost a host, or whose host cannot start workers") {
  const LostHost lost{"algo-3", 2, "was not heard from for 9 s", at(10s), 10s};
  CHECK(why_not({.most = 3}, failed_host(2), 0, {lost}) == "algo-3 is lost");
  HostEnd end = failed_host(2);
  end.trouble = "no GPU";
  CHECK(why_not({.most = 3}, end) == "algo-2 could not start its workers");
  end = failed_host(2);
  end.evidence[0].spawn_error = sys::SpawnError{sys::SpawnStage::kExec, 2};
  CHECK(why_not({.most = 3}, end) == "rank 4 could not be started");
}

TEST_CASE("there is none as long as processes of the job are left") {
  HostEnd end = failed_host(2);
  end.stuck = true;
  CHECK(why_not({.most = 3}, end) ==
        "processes of algo-2 are left that SIGKILL has not reached or not ended");
}

TEST_CASE("a worker may say by its code that a restart is of no use") {
  const RestartLimits limits{.most = 3, .never_after = {93, 128 + SIGTERM, 128 + SIGSEGV}};
  CHECK(why_not(limits, failed_host(2, ExitStatus::exited(93))) ==
        "rank 4 ended with code 93 (--no-restart-exit-codes)");
  CHECK(why_not(limits, failed_host(2, ExitStatus::killed(SIGSEGV))) ==
        "rank 4 ended with code 139 (--no-restart-exit-codes)");
  // The others' SIGTERM was ours.
  CHECK(why_not(limits, failed_host(2)).empty());
}

TEST_CASE("workers that failed too soon after their start would fail again") {
  const RestartLimits limits{.most = 3, .min_uptime = 20s};
  CHECK(why_not(limits, failed_host(2)).empty());
  HostEnd end = failed_host(2);
  end.stop_at = at(12s);
  CHECK(why_not(limits, end) == "the workers had run for 12 s only, less than 20 s (--min-uptime)");
  // A worker alone that fails is not stopped.
  end.stop_at = {};
  CHECK(why_not(limits, end).empty());
  end.ended_at = at(3s);
  CHECK(why_not(limits, end) ==
        "the workers had run for 3.0 s only, less than 20 s (--min-uptime)");
}

TEST_CASE("workers whose turn never came have not run, and keep no job from a restart") {
  HostEnd end;
  end.host = "algo-2";
  end.started_at = end.stop_at = at(2s);
  CHECK(why_not({.most = 1}, end).empty());
  CHECK(why_not({.most = 1, .min_uptime = 5s}, end) ==
        "the workers had run for 0.0 s only, less than 5.0 s (--min-uptime)");
}
