#include "plan/worker_defaults.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "hardware/numa.h"

namespace trainit {
namespace {

const Gpu* gpu_of(const Gpus& gpus, int local_rank) {
  if (gpus.devices.empty()) return nullptr;
  return &gpus.devices[static_cast<std::size_t>(local_rank) % gpus.devices.size()];
}

/// How CUDA_VISIBLE_DEVICES names this GPU: as the user's own list does, else a MIG instance by its
/// UUID (it has no number), a whole GPU by its number.
std::string visible_name(const Gpu& gpu, const Environment& inherited) {
  const std::string listed = inherited.get_or("CUDA_VISIBLE_DEVICES", "");
  const auto names = split(listed, ',');
  const auto index = static_cast<std::size_t>(gpu.index);
  if (!listed.empty() && index < names.size()) return std::string(trim(names[index]));
  return gpu.mig ? gpu.uuid : std::to_string(gpu.index);
}

}  // namespace

std::vector<std::string> set_defaults(Environment& environment, const PlanInput& input,
                                      bool ranks) {
  std::vector<std::string> notes;
  const auto set_default = [&](const char* name, const std::string& value) {
    if (environment.set_default(name, value, "trainit's default"))
      notes.push_back(fmt::format("{}={}", name, value));
  };
  // Through a pipe Python would keep its output back until 8 KiB have gathered.
  set_default("PYTHONUNBUFFERED", "1");
  if (!ranks) return notes;
  set_default("OMP_NUM_THREADS",
              std::to_string(std::max(1, input.hardware.cpus.usable() / input.workers)));
  set_default("TORCH_NCCL_ASYNC_ERROR_HANDLING", "1");
  if (input.agreement.nccl.port != 0)
    set_default("NCCL_COMM_ID", environment::host_and_port(input.agreement.nccl));
  const std::string& interface = input.cluster.interface;
  if (input.job.on_platform && input.hardware.has_interface(interface)) {
    // Without it NCCL may choose a link-local interface of the container and fail to connect.
    set_default("NCCL_SOCKET_IFNAME", interface);
    set_default("GLOO_SOCKET_IFNAME", interface);
  }
  return notes;
}

std::string error_file(int rank) { return fmt::format("rank-{}.json", rank); }

void isolate_gpu(Environment& environment, const Gpus& gpus, int local_rank,
                 const Environment& inherited) {
  if (const Gpu* gpu = gpu_of(gpus, local_rank)) {
    environment.set("CUDA_VISIBLE_DEVICES", visible_name(*gpu, inherited), "--isolate-gpus");
  }
}

std::optional<cpu_set_t> cpus_near_gpu(const Gpus& gpus, int local_rank) {
  const Gpu* gpu = gpu_of(gpus, local_rank);
  if (gpu == nullptr || gpu->numa_node < 0) return std::nullopt;
  return hardware::cpus_of_numa_node(gpu->numa_node);
}

}  // namespace trainit
