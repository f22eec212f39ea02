#include <fmt/core.h>

#include "base/text.h"
#include "hardware/describe.h"

namespace trainit::hardware {
namespace {

/// Each NCCL connection and each tensor that a data loader hands over takes descriptors.
constexpr std::uint64_t kFewFiles = 1024, kFewFilesForManyGpus = 8192;

std::string missing_gpus(const Gpus& gpus, std::string_view instance_type) {
  const auto expected = expected_gpus(instance_type, gpus);
  if (!expected || gpus.count() >= *expected) return {};
  return fmt::format("{} has {} GPU{}, {} found", instance_type, *expected,
                     *expected == 1 ? "" : "s", gpus.count());
}

std::string small_shared_memory(std::uint64_t size) {
  if (size == 0 || size > kDockersSharedMemory) return {};
  return fmt::format(
      "/dev/shm has only {}, and PyTorch's data loaders and NCCL keep their buffers there; with "
      "Docker raise it by --shm-size=8g or --ipc=host, on Kubernetes mount an emptyDir with "
      "\"medium: Memory\"",
      human_bytes(size));
}

std::string few_open_files(std::uint64_t limit, int gpus) {
  if (limit == 0 || limit >= open_files_wanted(gpus)) return {};
  return fmt::format(
      "a process may open only {} files at a time (RLIMIT_NOFILE); {} need more; with Docker raise "
      "it by --ulimit nofile=65536, else by ulimit -n",
      limit, gpus > 1 ? fmt::format("NCCL and data loaders on {} GPUs", gpus) : "data loaders");
}

}  // namespace

std::uint64_t open_files_wanted(int gpus) { return gpus > 1 ? kFewFilesForManyGpus : kFewFiles; }

std::vector<std::string> warnings(const Hardware& hardware, std::string_view instance_type) {
  std::vector<std::string> found = hardware.gpus.warnings;
  for (std::string warning :
       {missing_gpus(hardware.gpus, instance_type), small_shared_memory(hardware.shm_size),
        few_open_files(hardware.open_files_limit, hardware.gpus.count())}) {
    if (!warning.empty()) found.push_back(std::move(warning));
  }
  return found;
}

}  // namespace trainit::hardware
