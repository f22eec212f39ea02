#include <doctest/doctest.h>
#include <signal.h>

#include "diagnose/evidence.h"

using namespace trainit;
using namespace trainit::diagnose;
using sys::ExitStatus;
using namespace std::chrono_literals;

namespace {

sys::TimePoint at(std::chrono::milliseconds time) { return sys::TimePoint(time + 1h); }

ErrorText exception(bool communication = false) {
  ErrorText error;
  error.summary = communication ? "RuntimeError: Connection closed by peer" : "ValueError: boo";
  error.communication = communication;
  return error;
}

Evidence ended(int rank, ExitStatus status, std::chrono::milliseconds when) {
  Evidence evidence;
  evidence.host = "algo-1";
  evidence.rank = rank;
  evidence.status = status;
  evidence.exited_at = at(when);
  return evidence;
}

Evidence raised(int rank, bool communication, std::chrono::milliseconds when) {
  Evidence evidence = ended(rank, ExitStatus::exited(1), when + 50ms);
  evidence.error = exception(communication);
  evidence.first_error_at = at(when);
  return evidence;
}

Evidence stopped(Evidence evidence, std::chrono::milliseconds when) {
  evidence.stopped_by_us = true;
  evidence.told_at = at(when);
  return evidence;
}

int cause_of(const std::vector<Evidence>& gathered) {
  const FirstCause cause = decide(gathered);
  return cause.evidence == nullptr ? -1 : cause.evidence->rank;
}

}  // namespace

TEST_CASE("nobody failed: there is no cause") {
  CHECK(cause_of({}) == -1);
  CHECK(cause_of({ended(0, ExitStatus::exited(0), 1s)}) == -1);
}

TEST_CASE("the classes stand in their order, whoever ended first") {
  Evidence exec = ended(0, {}, 90ms);
  exec.spawn_error = sys::SpawnError{sys::SpawnStage::kExec, 2};
  Evidence oom = ended(1, ExitStatus::killed(SIGKILL), 80ms);
  oom.oom = true;
  const Evidence crash = ended(2, ExitStatus::killed(SIGSEGV), 70ms);
  const Evidence exception_of_3 = raised(3, false, 10ms);
  const Evidence closed = raised(4, true, 0ms);

  CHECK(decide(std::vector{closed, exception_of_3, crash, oom, exec}).kind ==
        CauseClass::kExecFailure);
  CHECK(cause_of({closed, exception_of_3, crash, oom, exec}) == 0);
  CHECK(cause_of({closed, exception_of_3, crash, oom}) == 1);
  CHECK(cause_of({closed, exception_of_3, crash}) == 2);
  CHECK(cause_of({closed, exception_of_3}) == 3);
  CHECK(cause_of({closed}) == 4);
}

TEST_CASE("the consequences are the others that failed, nearest first") {
  const std::vector gathered{raised(0, true, 5ms), raised(1, false, 9ms), raised(2, true, 3ms),
                             stopped(ended(3, ExitStatus::killed(SIGTERM), 1s), 20ms),
                             ended(4, ExitStatus::exited(0), 1s)};
  const FirstCause cause = decide(gathered);
  REQUIRE(cause.evidence != nullptr);
  CHECK(cause.evidence->rank == 1);
  CHECK(cause.kind == CauseClass::kException);
  REQUIRE(cause.consequences.size() == 2);
  CHECK(cause.consequences[0]->rank == 2);
  CHECK(cause.consequences[1]->rank == 0);
}

TEST_CASE("within a class the earliest error line counts, then the earliest end, then the rank") {
  Evidence late_exit = raised(5, false, 1ms);
  late_exit.exited_at = at(2s);
  CHECK(cause_of({raised(1, false, 2ms), late_exit}) == 5);
  CHECK(cause_of({ended(1, ExitStatus::exited(2), 9ms), ended(5, ExitStatus::exited(2), 8ms)}) ==
        5);
  CHECK(cause_of({ended(5, ExitStatus::exited(2), 8ms), ended(1, ExitStatus::exited(2), 8ms)}) ==
        1);
}

TEST_CASE("what we stopped is never a cause") {
  CHECK(cause_of({stopped(ended(0, ExitStatus::killed(SIGTERM), 1s), 10ms)}) == -1);
  CHECK(cause_of({stopped(ended(0, ExitStatus::killed(SIGKILL), 1s), 10ms),
                  stopped(ended(1, ExitStatus::exited(143), 1s), 10ms)}) == -1);
  CHECK(cause_of({stopped(ended(0, ExitStatus::killed(SIGSEGV), 1s), 10ms),
                  raised(1, false, 5ms)}) == 1);
}

TEST_CASE(
    "a worker that had raised before we stopped it is a cause, although a victim died first") {
  CHECK(cause_of({raised(0, true, 20ms), stopped(raised(5, false, 10ms), 70ms)}) == 5);
}

TEST_CASE("an error that a stopped worker had survived explains nothing") {
  Evidence went_on = stopped(ended(5, ExitStatus::killed(SIGTERM), 90ms), 70ms);
  went_on.error = exception();
  went_on.first_error_at = at(10ms);
  CHECK(cause_of({raised(0, true, 20ms), went_on}) == 5);
  went_on.error->last_line = "epoch 7";
  CHECK(cause_of({raised(0, true, 20ms), went_on}) == 0);
  went_on.status = ExitStatus::exited(1);
  CHECK(cause_of({raised(0, true, 20ms), went_on}) == 0);
}

TEST_CASE("an error that a worker had survived is not when it failed") {
  Evidence went_on = raised(0, false, 1ms);
  went_on.exited_at = at(30ms);
  CHECK(cause_of({went_on, raised(1, false, 20ms)}) == 0);
  went_on.error->last_line = "no training data";
  CHECK(cause_of({went_on, raised(1, false, 20ms)}) == 1);
  CHECK(failed_at(went_on) == at(30ms));
}

TEST_CASE("a worker that raised while it was stopped explains errors of communication only") {
  const Evidence raised_late = stopped(raised(5, false, 90ms), 70ms);
  CHECK(cause_of({raised(0, true, 20ms), raised_late}) == 5);
  CHECK(cause_of({raised(0, false, 20ms), raised_late}) == 0);
  CHECK(cause_of({raised_late}) == -1);
}

TEST_CASE("the answer of a worker to our signal explains nothing") {
  Evidence interrupted = stopped(raised(5, false, 90ms), 70ms);
  interrupted.error->summary = "KeyboardInterrupt";
  CHECK(cause_of({raised(0, true, 20ms), interrupted}) == 0);
  Evidence loader = stopped(raised(5, false, 90ms), 70ms);
  loader.error->summary =
      "RuntimeError: DataLoader worker (pid 3) is killed by signal: Terminated. ";
  CHECK(cause_of({raised(0, true, 20ms), loader}) == 0);
  Evidence words = stopped(raised(5, false, 90ms), 70ms);
  words.error->weight = Weight::kNothing;
  CHECK(cause_of({raised(0, true, 20ms), words}) == 0);
}

TEST_CASE("a crash that was slow to write its core explains errors of communication") {
  CHECK(cause_of({raised(0, true, 20ms),
                  stopped(ended(5, ExitStatus::killed(SIGSEGV), 3s), 70ms)}) == 5);
}

TEST_CASE("what others killed while we were stopping it explains errors of communication") {
  const Evidence killed = stopped(ended(5, ExitStatus::killed(SIGKILL), 3s), 70ms);
  CHECK(cause_of({raised(0, true, 20ms), killed}) == 5);
  CHECK(cause_of({raised(0, false, 20ms), killed}) == 0);
  CHECK(cause_of({raised(0, true, 20ms),
                  stopped(ended(5, ExitStatus::exited(128 + SIGKILL), 3s), 70ms)}) == 0);
  Evidence ours = killed;
  ours.killed_by_us = true;
  CHECK(cause_of({raised(0, true, 20ms), ours}) == 0);
}

TEST_CASE("what others had killed when we told it to stop is a cause, whatever its peers said") {
  const Evidence killed = stopped(ended(5, ExitStatus::killed(SIGKILL), 170ms), 70ms);
  CHECK(cause_of({raised(0, false, 20ms), killed}) == 5);
  CHECK(decide(std::vector{killed}).kind == CauseClass::kForeignSignal);
  Evidence ours = killed;
  ours.killed_by_us = true;
  CHECK(cause_of({raised(0, false, 20ms), ours}) == 0);
  CHECK(cause_of({raised(0, false, 20ms),
                  stopped(ended(5, ExitStatus::killed(SIGKILL), 171ms), 70ms)}) == 0);
  CHECK(cause_of({raised(0, false, 20ms),
                  stopped(ended(5, ExitStatus::killed(SIGTERM), 80ms), 70ms)}) == 0);
  CHECK(cause_of({raised(0, false, 20ms),
                  stopped(ended(5, ExitStatus::exited(128 + SIGKILL), 80ms), 70ms)}) == 0);
}

TEST_CASE("what the kernel killed for memory is a cause although we were stopping it") {
  Evidence killed = stopped(ended(5, ExitStatus::killed(SIGKILL), 3s), 70ms);
  killed.oom = true;
  CHECK(cause_of({raised(0, true, 20ms), killed}) == 5);
}

TEST_CASE("of workers that were told to stop the first that failed at it by itself counts") {
  const Evidence well = stopped(ended(0, ExitStatus::exited(0), 1s), 10ms);
  const Evidence terminated = stopped(ended(1, ExitStatus::killed(SIGTERM), 1s), 10ms);
  const Evidence interrupted = stopped(ended(2, ExitStatus::exited(128 + SIGINT), 1s), 10ms);
  const Evidence killed = stopped(ended(3, ExitStatus::killed(SIGKILL), 1s), 10ms);
  const Evidence full_disk = stopped(ended(4, ExitStatus::exited(1), 1s), 10ms);
  const Evidence crashed = stopped(ended(5, ExitStatus::killed(SIGSEGV), 1s), 10ms);
  const auto worst = [](const std::vector<Evidence>& gathered, int signal) {
    std::vector<const Evidence*> pointers;
    for (const Evidence& evidence : gathered) pointers.push_back(&evidence);
    const Evidence* found = worst_after_stop(pointers, signal);
    return found == nullptr ? -1 : found->rank;
  };
  CHECK(worst({well, terminated, killed, full_disk, crashed}, SIGTERM) == 4);
  CHECK(worst({well, terminated, crashed, full_disk}, SIGTERM) == 5);
  CHECK(worst({well, interrupted, terminated, full_disk}, SIGINT) == 4);
  CHECK(worst({well, terminated, interrupted}, SIGTERM) == 2);
  CHECK(worst({well, killed, terminated}, SIGTERM) == 3);
  CHECK(worst({well}, SIGTERM) == -1);
}

TEST_CASE("an abort is judged by its words, not by its signal") {
  Evidence watchdog = ended(0, ExitStatus::killed(SIGABRT), 1ms);
  watchdog.error = exception(true);
  CHECK(decide(std::vector{watchdog}).kind == CauseClass::kCommunication);
  CHECK(decide(std::vector{ended(0, ExitStatus::killed(SIGABRT), 1ms)}).kind ==
        CauseClass::kException);
}

TEST_CASE("a broken pipe is communication, and a shell's code for a signal is that signal") {
  CHECK(decide(std::vector{ended(0, ExitStatus::killed(SIGPIPE), 1ms)}).kind ==
        CauseClass::kCommunication);
  CHECK(decide(std::vector{ended(0, ExitStatus::exited(137), 1ms)}).kind ==
        CauseClass::kForeignSignal);
  CHECK(decide(std::vector{ended(0, ExitStatus::exited(3), 1ms)}).kind == CauseClass::kException);
}
