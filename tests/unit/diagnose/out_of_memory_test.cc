#include <doctest/doctest.h>
#include <signal.h>

#include "diagnose/evidence.h"

using namespace trainit;
using namespace trainit::diagnose;
using sys::ExitStatus;
using namespace std::chrono_literals;

namespace {

Evidence ended(int rank, ExitStatus status, std::chrono::milliseconds when) {
  Evidence evidence;
  evidence.rank = rank;
  evidence.status = status;
  evidence.exited_at = sys::TimePoint(1h + when);
  return evidence;
}

Evidence raised(int rank, const std::string& summary, std::chrono::milliseconds when) {
  Evidence evidence = ended(rank, ExitStatus::exited(1), when + 1s);
  evidence.error.emplace();
  evidence.error->summary = summary;
  evidence.first_error_at = sys::TimePoint(1h + when);
  return evidence;
}

Evidence lost_its_peer(int rank, std::chrono::milliseconds when) {
  Evidence evidence = raised(rank, "RuntimeError: Connection closed by peer", when);
  evidence.error->communication = true;
  return evidence;
}

/// The ranks that were marked.
std::vector<int> marked(std::vector<Evidence> gathered, std::optional<std::int64_t> kills) {
  attribute_oom_kills(gathered, kills);
  std::vector<int> ranks;
  for (const Evidence& evidence : gathered) {
    if (evidence.oom) ranks.push_back(evidence.rank);
  }
  return ranks;
}

using Ranks = std::vector<int>;

}  // namespace

TEST_CASE("without a count nobody is marked and nothing is ruled out") {
  std::vector<Evidence> gathered = {ended(0, ExitStatus::killed(SIGKILL), 1s)};
  attribute_oom_kills(gathered, std::nullopt);
  CHECK_FALSE(gathered[0].oom);
  CHECK_FALSE(gathered[0].oom_ruled_out);
}

TEST_CASE("where the kernel killed nobody, want of memory is ruled out") {
  std::vector<Evidence> gathered = {ended(0, ExitStatus::killed(SIGKILL), 1s)};
  attribute_oom_kills(gathered, 0);
  CHECK_FALSE(gathered[0].oom);
  CHECK(gathered[0].oom_ruled_out);
}

TEST_CASE(
    "workers that SIGKILL ended are the ones, also through a shell, but not those we killed") {
  Evidence ours = ended(2, ExitStatus::killed(SIGKILL), 5s);
  ours.killed_by_us = true;
  CHECK(marked({raised(0, "ValueError: x", 1s), ended(1, ExitStatus::killed(SIGKILL), 2s),
                ended(3, ExitStatus::exited(137), 2s), ours},
               1) == Ranks{1, 3});
}

TEST_CASE("a worker that was being stopped when the kernel took it is one too") {
  Evidence stopped = ended(1, ExitStatus::killed(SIGKILL), 2s);
  stopped.stopped_by_us = true;
  CHECK(marked({lost_its_peer(0, 1s), stopped}, 1) == Ranks{1});
}

TEST_CASE("when a child was taken it is the worker that says so") {
  CHECK(marked({raised(0, "ValueError: x", 1s),
                raised(1, "RuntimeError: DataLoader worker (pid 7) is killed by signal: Killed. ",
                       2s)},
               1) == Ranks{1});
}

TEST_CASE("when nobody says so it is the first that failed by itself, not one that lost its peer") {
  CHECK(marked({lost_its_peer(0, 1s), raised(1, "EOFError", 3s), raised(2, "OSError", 2s)}, 1) ==
        Ranks{2});
  Evidence stopped = raised(3, "OSError", 1s);
  stopped.stopped_by_us = true;
  CHECK(marked({stopped, raised(4, "EOFError", 2s)}, 1) == Ranks{4});
  CHECK(marked({lost_its_peer(0, 1s)}, 1) == Ranks{0});
}

TEST_CASE("a child that was taken explains no error that has nothing to do with it") {
  CHECK(marked({raised(0, "ValueError: label 11 is out of range 0..9", 1s)}, 1) == Ranks{});
  CHECK(marked({raised(0, "torch.OutOfMemoryError: CUDA out of memory.", 1s)}, 1) == Ranks{});
  CHECK(marked({raised(0, "KeyError: 'x'", 1s),
                raised(1, "BrokenPipeError: [Errno 32] Broken pipe", 2s)},
               1) == Ranks{1});
  CHECK(marked({ended(0, ExitStatus::exited(1), 1s)}, 1) == Ranks{0});
}

TEST_CASE("a job that went well marks nobody") {
  CHECK(marked({ended(0, ExitStatus::exited(0), 1s)}, 3) == Ranks{});
}
