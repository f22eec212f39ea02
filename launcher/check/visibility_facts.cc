// All GPUs of this container, also those that a variable hides.
#include <algorithm>
#include <chrono>

#include "check/visibility.h"
#include "hardware/device_files.h"
#include "hardware/gpus.h"
#include "sys/files.h"

namespace trainit::check {
namespace {

std::optional<std::vector<Gpu>> all_gpus(const Subject& subject, bool ask_driver) {
  if (!subject.hardware.gpus.chosen) return subject.hardware.gpus.devices;
  const auto files = hardware::gpus_by_device_files(subject.roots.system, subject.stops);
  if (!ask_driver) return files && !files->empty() ? std::optional(*files) : std::nullopt;
  Environment without = subject.environment;
  without.erase("CUDA_VISIBLE_DEVICES");
  const int deadline = static_cast<int>(
      std::min(subject.options.gpu_deadline, std::chrono::milliseconds(std::chrono::hours(1)))
          .count());
  return hardware::detect_gpus(without, subject.options.gpu_probe, {deadline, subject.stops},
                               subject.roots.system)
      .devices;
}

/// GPUs for which /proc has a directory of MIG instances with none in it.
std::vector<std::string> empty_mig(const hardware::SystemRoots& roots) {
  const std::string capabilities = roots.proc + "/driver/nvidia/capabilities/";
  std::vector<std::string> empty;
  for (const std::string& gpu : sys::list_directory(capabilities).value_or(empty)) {
    const std::string directory = capabilities + gpu + "/mig";
    if (!gpu.starts_with("gpu") || !sys::is_directory(directory)) continue;
    const auto entries = sys::list_directory(directory);
    if (entries && entries->empty()) empty.push_back(gpu);
  }
  return empty;
}

}  // namespace

VisibilityFacts visibility_facts(const Subject& subject, bool ask_driver) {
  VisibilityFacts facts;
  facts.cuda = subject.variable("CUDA_VISIBLE_DEVICES");
  facts.nvidia = subject.variable("NVIDIA_VISIBLE_DEVICES");
  facts.found = subject.hardware.gpus.count();
  facts.all = all_gpus(subject, ask_driver);
  facts.isolated = subject.options.isolate_gpus;
  facts.empty_mig = empty_mig(subject.roots.system);
  return facts;
}

}  // namespace trainit::check
