#include "check/limits.h"

#include <fmt/core.h>

#include "base/text.h"
#include "hardware/describe.h"

namespace trainit::check {
namespace {

/// Threads of the interpreter, of BLAS, of NCCL and of a few data loaders.
constexpr std::uint64_t kProcessesPerWorker = 64;
/// Importing PyTorch alone takes about as much.
constexpr std::uint64_t kLeastMemory = 256 << 20;

std::string bytes(std::uint64_t count) { return human_bytes(static_cast<double>(count)); }

void judge_files(const LimitFacts& facts, AreaReport& report) {
  const std::uint64_t wanted = hardware::open_files_wanted(facts.gpus);
  if (facts.open_files == 0 || facts.open_files >= wanted) return;
  report.add(
      Severity::kWarning,
      fmt::format("a process may open only {} files at a time (RLIMIT_NOFILE)", facts.open_files),
      facts.gpus > 1 ? fmt::format("NCCL and data loaders on {} GPUs need more", facts.gpus)
                     : "data loaders need more",
      "with Docker raise it by --ulimit nofile=65536, else by ulimit -n");
}

void judge_locked(const LimitFacts& facts, AreaReport& report) {
  if (!facts.locked_bytes || facts.rdma_devices == 0) return;
  report.add(Severity::kWarning,
             fmt::format("a process may lock only {} of memory (RLIMIT_MEMLOCK), and there {} {} "
                         "RDMA device{}",
                         bytes(*facts.locked_bytes), facts.rdma_devices == 1 ? "is" : "are",
                         facts.rdma_devices, facts.rdma_devices == 1 ? "" : "s"),
             "EFA and InfiniBand lock the buffers that they send from, and fail without",
             "with Docker raise it by --ulimit memlock=-1, else by ulimit -l unlimited");
}

void judge_processes(const LimitFacts& facts, AreaReport& report) {
  const auto workers = static_cast<std::uint64_t>(facts.workers);
  if (!facts.processes_left || *facts.processes_left >= workers * kProcessesPerWorker) return;
  // Each worker and the rendezvous store.
  const bool too_few = *facts.processes_left < workers + 1;
  report.add(too_few ? Severity::kError : Severity::kWarning,
             fmt::format("only {} more processes and threads may be started (pids.max) for {} "
                         "worker{}",
                         *facts.processes_left, workers, workers == 1 ? "" : "s"),
             too_few ? "not every worker can be started"
                     : "each worker has threads of its own, for BLAS, NCCL and data loaders",
             "with Docker raise it by --pids-limit, on Kubernetes by the kubelet's podPidsLimit");
}

void judge_memory(const LimitFacts& facts, AreaReport& report) {
  const auto workers = static_cast<std::uint64_t>(facts.workers);
  if (facts.memory == 0 || facts.memory / workers >= kLeastMemory) return;
  report.add(Severity::kWarning,
             fmt::format("the container may have {} of memory for {} worker{}", bytes(facts.memory),
                         workers, workers == 1 ? "" : "s"),
             "importing a framework alone takes some 200 MB in each, and past the limit the kernel "
             "kills",
             "give the container more memory, or start fewer workers");
}

std::string text_of(const LimitFacts& facts) {
  std::string text =
      fmt::format("{} open files · {} locked memory", facts.open_files,
                  facts.locked_bytes ? bytes(*facts.locked_bytes) : std::string("unlimited"));
  text += facts.processes_left ? fmt::format(" · {} more processes", *facts.processes_left)
                               : std::string(" · no known limit of processes");
  return text + (facts.memory > 0 ? fmt::format(" · {} memory", bytes(facts.memory))
                                  : std::string(" · no known limit of memory"));
}

}  // namespace

AreaReport judge_limits(const LimitFacts& facts) {
  AreaReport report{.area = "limits", .text = text_of(facts), .findings = {}};
  judge_files(facts, report);
  judge_locked(facts, report);
  judge_processes(facts, report);
  judge_memory(facts, report);
  return report;
}

}  // namespace trainit::check
