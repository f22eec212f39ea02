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
                         human_bytes(*facts.locked_bytes), facts.rdma_devices == 1 ? "is" : "are",
                         facts.rdma_devices, facts.rdma_devices == 1 ? "" : "s"),
             "EFA and InfiniBand lock the buffers that they send from, and fail without",
             "with Docker raise it by --ulimit memlock=-1, else by ulimit -l unlimited");
}

/// `least`: what the workers need to be started at all.
void judge_processes(std::optional<std::uint64_t> most, std::uint64_t least, std::string_view what,
                     std::string remedy, const LimitFacts& facts, AreaReport& report) {
  const auto workers = static_cast<std::uint64_t>(facts.workers);
  if (!most || *most >= workers * kProcessesPerWorker) return;
  report.add(*most < least ? Severity::kError : Severity::kWarning,
             fmt::format(fmt::runtime(what), *most) +
                 fmt::format(" for {} worker{}", workers, workers == 1 ? "" : "s"),
             *most < least ? "not every worker can be started"
                           : "each worker has threads of its own, for BLAS, NCCL and data loaders",
             std::move(remedy));
}

void judge_memory(const LimitFacts& facts, AreaReport& report) {
  const auto workers = static_cast<std::uint64_t>(facts.workers);
  if (facts.memory == 0 || facts.memory / workers >= kLeastMemory) return;
  report.add(Severity::kWarning,
             fmt::format("the container may have {} of memory for {} worker{}",
                         human_bytes(facts.memory), workers, workers == 1 ? "" : "s"),
             "importing a framework alone takes some 200 MB in each, and past the limit the kernel "
             "kills",
             "give the container more memory, or start fewer workers");
}

std::string text_of(const LimitFacts& facts) {
  std::string text =
      fmt::format("{} open files · {} locked memory", facts.open_files,
                  facts.locked_bytes ? human_bytes(*facts.locked_bytes) : std::string("unlimited"));
  text += facts.processes_left ? fmt::format(" · {} more processes", *facts.processes_left)
          : facts.of_user      ? fmt::format(" · {} processes of this user", *facts.of_user)
                               : std::string(" · no known limit of processes");
  return text + (facts.memory > 0 ? fmt::format(" · {} memory", human_bytes(facts.memory))
                                  : std::string(" · no known limit of memory"));
}

}  // namespace

AreaReport judge_limits(const LimitFacts& facts) {
  AreaReport report{.area = "limits", .text = text_of(facts), .findings = {}};
  judge_files(facts, report);
  judge_locked(facts, report);
  // Each worker and the rendezvous store; and trainit itself, which a user's limit counts too.
  const auto started = static_cast<std::uint64_t>(facts.workers) + 1;
  judge_processes(
      facts.processes_left, started, "only {} more processes and threads may be started (pids.max)",
      "with Docker raise it by --pids-limit, on Kubernetes by the kubelet's podPidsLimit", facts,
      report);
  judge_processes(facts.of_user, started + 1,
                  "this user may have only {} processes and threads (RLIMIT_NPROC)",
                  "with Docker raise it by --ulimit nproc=-1, else by ulimit -u", facts, report);
  judge_memory(facts, report);
  return report;
}

}  // namespace trainit::check
