#include "hardware/describe.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace trainit::hardware {
namespace {

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json to_json(const Gpu& gpu) {
  const Json capability = gpu.compute_major > 0
                              ? Json(fmt::format("{}.{}", gpu.compute_major, gpu.compute_minor))
                              : Json();
  return Json::Object{
      {"index", gpu.index},
      {"name", text_or_null(gpu.name)},
      {"uuid", text_or_null(gpu.uuid)},
      {"pci", text_or_null(gpu.pci)},
      {"memory", gpu.memory > 0 ? Json(std::size_t{gpu.memory}) : Json()},
      {"compute_capability", capability},
      {"mig", gpu.mig},
      {"numa_node", gpu.numa_node >= 0 ? Json(gpu.numa_node) : Json()},
  };
}

/// "NVIDIA A10G 22 GB"; a name that tells the size already stays as it is.
std::string model_of(const Gpu& gpu) {
  std::string name = gpu.name.empty() ? "GPU" : gpu.name;
  if (gpu.memory == 0 || name.find("GB") != std::string::npos) return name;
  return fmt::format("{} {:.0f} GB", name, static_cast<double>(gpu.memory) / (1 << 30));
}

/// "2 × NVIDIA A10G 22 GB + 1 × NVIDIA L4 22 GB"
std::string models_of(const std::vector<Gpu>& gpus) {
  std::vector<std::pair<std::string, int>> counts;
  for (const Gpu& gpu : gpus) {
    const std::string model = model_of(gpu);
    const auto known = std::find_if(counts.begin(), counts.end(),
                                    [&](const auto& count) { return count.first == model; });
    if (known == counts.end()) {
      counts.emplace_back(model, 1);
    } else {
      ++known->second;
    }
  }
  std::vector<std::string> parts;
  parts.reserve(counts.size());
  for (const auto& [model, count] : counts) parts.push_back(fmt::format("{} × {}", count, model));
  return join(parts, " + ");
}

/// 46.5 → "46.5", 48 → "48"
std::string short_number(double number) {
  std::string text = fmt::format("{:.1f}", number);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

std::string describe_cpus(const Cpus& cpus) {
  const double usable =
      cpus.quota > 0 ? std::min<double>(cpus.quota, cpus.affinity) : cpus.affinity;
  const std::string number = short_number(usable);
  if (number != std::to_string(cpus.online))
    return fmt::format("{} of {} cpus", number, cpus.online);
  return number + (cpus.online == 1 ? " cpu" : " cpus");
}

std::string describe_memory(const Hardware& hardware) {
  const std::uint64_t limit = hardware.memory_limit, total = hardware.memory_total;
  if (limit > 0 && (total == 0 || limit < total)) {
    return total == 0 ? human_bytes(limit) + " memory"
                      : fmt::format("{} of {} memory", human_bytes(limit), human_bytes(total));
  }
  return total == 0 ? std::string() : human_bytes(total) + " memory";
}

}  // namespace

Json to_json(const Gpus& gpus) {
  Json::Array devices, warnings;
  for (const Gpu& gpu : gpus.devices) devices.push_back(to_json(gpu));
  for (const std::string& warning : gpus.warnings) warnings.emplace_back(warning);
  return Json::Object{
      {"count", gpus.count()},
      {"source", gpus.source},
      {"driver_version", text_or_null(gpus.driver_version)},
      {"cuda_version", text_or_null(gpus.cuda_version)},
      {"devices", std::move(devices)},
      {"warnings", std::move(warnings)},
  };
}

std::string describe(const Gpus& gpus) {
  if (gpus.devices.empty())
    return gpus.source == "none" ? "no GPU" : fmt::format("no GPU (by {})", gpus.source);
  std::string source = "by " + gpus.source;
  if (!gpus.cuda_version.empty())
    source = fmt::format("CUDA driver {}, {}", gpus.cuda_version, source);
  return fmt::format("{} ({})", models_of(gpus.devices), source);
}

std::string describe(const Hardware& hardware) {
  std::vector<std::string> parts = {describe(hardware.gpus)};
  if (hardware.neuron_cores > 0)
    parts.push_back(fmt::format("{} NeuronCores", hardware.neuron_cores));
  parts.push_back(describe_cpus(hardware.cpus));
  if (std::string memory = describe_memory(hardware); !memory.empty())
    parts.push_back(std::move(memory));
  if (hardware.shm_size > 0) parts.push_back("/dev/shm " + human_bytes(hardware.shm_size));
  if (hardware.efa_devices > 0) parts.push_back(fmt::format("{} EFA", hardware.efa_devices));
  return join(parts, " · ");
}

}  // namespace trainit::hardware
