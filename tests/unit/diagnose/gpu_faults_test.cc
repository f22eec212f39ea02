#include <doctest/doctest.h>
#include <signal.h>

#include "diagnose/failure_text.h"

using namespace trainit;
using namespace trainit::diagnose;
using hardware::GpuFault;
using sys::ExitStatus;
using namespace std::chrono_literals;

namespace {

sys::TimePoint at(std::chrono::milliseconds time) { return sys::TimePoint(time + 1h); }

GpuFault fault(int gpu, int xid, std::chrono::milliseconds when) {
  return {gpu, "0000:3b:00.0", xid, at(when)};
}

/// A worker that ran from the moment 0 to `end`, on the GPU of its rank.
Evidence failed(int rank, std::chrono::milliseconds end, std::string error,
                ExitStatus status = ExitStatus::exited(1)) {
  Evidence evidence;
  evidence.host = "algo-1";
  evidence.rank = rank;
  evidence.gpus = {rank};
  evidence.status = status;
  evidence.exited_at = at(end);
  evidence.after = end;
  if (error.empty()) return evidence;
  evidence.error.emplace();
  evidence.error->summary = evidence.error->detail = std::move(error);
  evidence.error->last_line.clear();
  evidence.first_error_at = at(end - 10ms);
  return evidence;
}

Evidence stopped(Evidence evidence, std::chrono::milliseconds when) {
  evidence.stopped_by_us = true;
  evidence.told_at = at(when);
  return evidence;
}

Evidence missing_a_peer(int rank, std::chrono::milliseconds end) {
  Evidence evidence = failed(rank, end, "RuntimeError: Watchdog caught collective timeout");
  evidence.error->communication = true;
  return evidence;
}

const std::string kCuda = "RuntimeError: CUDA error: unspecified launch failure";
const std::string kValue = "ValueError: boo";
constexpr auto kHour = 3'600'000ms;

bool is_explained(Evidence evidence, const GpuFault& by) {
  std::vector gathered{std::move(evidence)};
  attribute_gpu_faults(gathered, std::vector{by});
  return gathered[0].gpu_fault.has_value();
}

FirstCause cause_of(std::vector<Evidence>& gathered, const std::vector<GpuFault>& faults) {
  attribute_gpu_faults(gathered, faults);
  return decide(gathered);
}

}  // namespace

TEST_CASE("a fault explains a worker on its GPU that failed while it lived, or just before") {
  CHECK(is_explained(failed(3, kHour, kCuda), fault(3, 79, kHour - 1s)));
  CHECK_FALSE(is_explained(failed(3, kHour, kCuda), fault(2, 79, kHour - 1s)));
  CHECK_FALSE(is_explained(failed(3, kHour, ""), fault(2, 79, kHour - 1s)));
  CHECK_FALSE(is_explained(failed(3, kHour, "", ExitStatus::exited(0)), fault(3, 79, kHour - 1s)));
  CHECK(is_explained(failed(3, kHour, kCuda), fault(3, GpuFault::kLost, kHour - 1s)));
  CHECK(is_explained(failed(3, kHour, kCuda), fault(3, 79, kHour + 2s)));
  CHECK_FALSE(is_explained(failed(3, kHour, kCuda), fault(3, 79, kHour + 2001ms)));
  CHECK_FALSE(is_explained(failed(3, kHour, kCuda), fault(3, 79, -1ms)));
}

TEST_CASE("an old fault explains only who speaks of a GPU, or waited for somebody") {
  CHECK(is_explained(failed(3, kHour, kCuda), fault(3, 74, 1s)));
  CHECK(is_explained(missing_a_peer(3, kHour), fault(3, 74, 1s)));
  CHECK_FALSE(is_explained(failed(3, kHour, kValue), fault(3, 74, 1s)));
  CHECK_FALSE(is_explained(failed(3, kHour, ""), fault(3, 74, 1s)));
  CHECK(is_explained(failed(3, kHour, kValue), fault(3, 74, kHour - 59s)));
  CHECK(is_explained(failed(3, kHour, "", ExitStatus::killed(SIGBUS)), fault(3, 79, kHour - 1s)));
  CHECK_FALSE(is_explained(failed(3, 30s, kValue), fault(3, 74, -1s)));
}

TEST_CASE("what the program itself may have caused, and what it survives, explains nothing") {
  for (const int xid : {13, 31, 43, 45, 63, 68, 92, 109, 4711}) {
    CAPTURE(xid);
    CHECK_FALSE(is_explained(failed(3, kHour, kCuda), fault(3, xid, kHour - 1s)));
  }
}

TEST_CASE(
    "a program of several GPUs is explained by any, and by the first fault of those that can") {
  Evidence evidence = failed(0, kHour, kCuda);
  evidence.gpus = {0, 1, 2};
  std::vector gathered{evidence};
  attribute_gpu_faults(gathered, std::vector{fault(2, 43, 5s), fault(2, 48, 6s), fault(1, 79, 7s)});
  REQUIRE(gathered[0].gpu_fault);
  CHECK(gathered[0].gpu_fault->xid == 48);
}

TEST_CASE("a failed GPU is nearer to the root than signals and exceptions, and not than memory") {
  std::vector gathered{failed(0, 10s, kValue), failed(1, 11s, "", ExitStatus::killed(SIGSEGV)),
                       failed(2, 12s, kCuda)};
  FirstCause cause = cause_of(gathered, {fault(2, 79, 12s)});
  CHECK(cause.kind == CauseClass::kGpuFault);
  CHECK(cause.evidence->rank == 2);
  gathered.push_back(failed(3, 13s, "", ExitStatus::killed(SIGKILL)));
  gathered.back().oom = true;
  CHECK(decide(gathered).evidence->rank == 3);
}

TEST_CASE("of several GPUs the first that failed counts, whoever printed first") {
  std::vector gathered{failed(0, 10s, kCuda), failed(1, 11s, kCuda)};
  CHECK(cause_of(gathered, {fault(1, 74, 8s), fault(0, 74, 9s)}).evidence->rank == 1);
}

TEST_CASE("an error on a link is a consequence of the GPU behind it that has failed") {
  std::vector gathered{failed(0, 10s, kCuda), failed(1, 11s, kCuda), failed(2, 12s, kCuda)};
  const FirstCause cause =
      cause_of(gathered, {fault(0, 74, 7s), fault(1, 74, 8s), fault(1, 79, 8010ms)});
  CHECK((cause.evidence->rank == 1 && cause.evidence->gpu_fault->xid == 79));
}

TEST_CASE("who waited in vain for a GPU until we stopped it is the cause of who missed it") {
  const Evidence waiting = stopped(failed(1, 605s, "", ExitStatus::killed(SIGTERM)), 601s);
  std::vector gathered{missing_a_peer(0, 600s), waiting};
  const FirstCause cause = cause_of(gathered, {fault(1, 79, 2s)});
  REQUIRE(cause.evidence != nullptr);
  CHECK((cause.evidence->rank == 1 && cause.kind == CauseClass::kGpuFault));
  CHECK(cause.consequences.size() == 1);

  // An error that is somebody's own is not explained by another's GPU.
  std::vector own{failed(0, 600s, kValue), waiting};
  CHECK(cause_of(own, {fault(1, 79, 2s)}).evidence->rank == 0);
  // What came after the stop is no cause of it.
  std::vector late{missing_a_peer(0, 600s), waiting};
  CHECK(cause_of(late, {fault(1, 79, 602s)}).evidence->rank == 0);
  // Nobody failed but at our signal.
  std::vector all{waiting};
  CHECK(cause_of(all, {fault(1, 79, 2s)}).evidence == nullptr);
}

TEST_CASE("who raised because of its GPU before we stopped it is explained by that") {
  Evidence slow = stopped(failed(1, 10s, kCuda, ExitStatus::killed(SIGTERM)), 9995ms);
  slow.first_error_at = at(9990ms);
  std::vector gathered{missing_a_peer(0, 9991ms), slow};
  const FirstCause cause = cause_of(gathered, {fault(1, 79, 9980ms)});
  CHECK((cause.evidence->rank == 1 && cause.kind == CauseClass::kGpuFault));
}

TEST_CASE("the summary has the GPU first, then the worker's own words") {
  Evidence evidence = failed(3, 48s, kCuda);
  evidence.error->location = "train.py:42";
  evidence.gpu_fault = fault(3, 79, 47s);
  CHECK(summarize(evidence) ==
        "algo-1 rank 3: GPU 3 fell off the bus (XID 79); the worker: RuntimeError: CUDA error: "
        "unspecified launch failure (train.py:42, exit code 1 after 48 s)");
  evidence.error->summary = std::string(500, 'x');
  const std::string cut = summarize(evidence);
  CHECK(cut.size() <= 200);
  CHECK(cut.ends_with("(train.py:42, exit code 1 after 48 s)"));
  Evidence silent = failed(3, 48s, "", ExitStatus::killed(SIGBUS));
  silent.gpu_fault = fault(3, GpuFault::kLost, 47s);
  CHECK(summarize(silent).starts_with(
      "algo-1 rank 3: GPU 3 cannot be reached any more; the worker was killed by SIGBUS after 48 "
      "s"));
  silent.status = ExitStatus::exited(7);
  CHECK(summarize(silent) ==
        "algo-1 rank 3: GPU 3 cannot be reached any more; the worker ended with code 7 after 48 s");
}

TEST_CASE("how long after the GPU's failure the others failed is counted from that") {
  Evidence cause = failed(1, 48s, kCuda);
  cause.gpu_fault = fault(1, 79, 40s);
  CHECK(describe_consequence(cause, missing_a_peer(0, 50s)) ==
        "rank 0 had \"RuntimeError: Watchdog caught collective timeout\" 10 s later: a "
        "consequence");
}

TEST_CASE("a message speaks of a GPU when it names what runs there") {
  CHECK(speaks_of_gpu("RuntimeError: CUDA error: unspecified launch failure"));
  CHECK(speaks_of_gpu("ncclInternalError: Internal check failed"));
  CHECK_FALSE(speaks_of_gpu("ValueError: learning rate must be positive"));
  CHECK_FALSE(speaks_of_gpu(""));
}
