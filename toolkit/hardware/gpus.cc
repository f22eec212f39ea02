#include "hardware/gpus.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "hardware/device_files.h"
#include "hardware/driver_query.h"
#include "hardware/numa.h"
#include "hardware/nvidia_smi.h"
#include "hardware/visible_devices.h"

namespace trainit::hardware {
namespace {

using Clock = std::chrono::steady_clock;

Gpus no_gpus(std::string source) {
  Gpus gpus;
  gpus.source = std::move(source);
  return gpus;
}

GpuProbe probe_of(const Environment& environment, std::vector<std::string>& warnings) {
  const std::string value = environment.get_or("TRAINIT_GPU_PROBE", "auto");
  if (value == "always") return GpuProbe::kAlways;
  if (value == "never") return GpuProbe::kNever;
  if (value != "auto") {
    warnings.push_back(
        fmt::format("TRAINIT_GPU_PROBE is \"{}\"; it can be auto, always or never", value));
  }
  return GpuProbe::kAuto;
}

std::string who_says_never(const Environment& environment) {
  const bool variable = environment.get_or("TRAINIT_GPU_PROBE", "") == "never";
  return variable ? "TRAINIT_GPU_PROBE=never" : "gpu-probe never";
}

/// The variable by which the user or the container engine says that there is no GPU; empty: none
/// does.
std::string ruled_out_by(const Environment& environment) {
  const std::string* cuda = environment.find("CUDA_VISIBLE_DEVICES");
  if (cuda != nullptr && trim(*cuda).empty()) return "CUDA_VISIBLE_DEVICES=";
  const std::string* nvidia = environment.find("NVIDIA_VISIBLE_DEVICES");
  if (nvidia != nullptr && *nvidia == "none") return "NVIDIA_VISIBLE_DEVICES=none";
  return {};
}

/// "void" and the empty value say that NVIDIA's runtime gave nothing to this container. Engines
/// that use the Container Device Interface set it too, so that the runtime keeps away from the
/// devices that they themselves have put there: it is true only where there are none.
std::optional<std::string> nothing_given(const Environment& environment) {
  const std::string* nvidia = environment.find("NVIDIA_VISIBLE_DEVICES");
  if (nvidia == nullptr || !(nvidia->empty() || *nvidia == "void")) return std::nullopt;
  return "NVIDIA_VISIBLE_DEVICES=" + *nvidia;
}

class Search {
 public:
  Search(const Environment& environment, std::optional<GpuProbe> probe,
         const sys::Patience& patience, const SystemRoots& roots)
      : environment_(environment),
        probe_(probe ? *probe : probe_of(environment, warnings_)),
        roots_(roots),
        deadline_(Clock::now() + std::chrono::milliseconds(patience.milliseconds)),
        stops_(patience.stops) {}

  Gpus run() {
    if (probe_ == GpuProbe::kNever) return no_gpus(who_says_never(environment_));
    if (std::string variable = ruled_out_by(environment_); !variable.empty())
      return no_gpus(std::move(variable));
    const bool device = has_nvidia_device(roots_);
    const auto nothing = nothing_given(environment_);
    if (nothing && !device) return no_gpus(*nothing);
    if (probe_ == GpuProbe::kAuto && !device && !has_nvidia_module(roots_)) return no_gpus("none");
    if (auto answer = ask_driver(environment_, {milliseconds_left(), stops_})) {
      return of_driver(std::move(*answer));
    } else if (nothing) {
      // The devices in sight are those of a privileged container, and the driver was not given to
      // it.
      return no_gpus(*nothing);
    } else {
      return without_driver(answer.error().message, device || probe_ == GpuProbe::kAlways);
    }
  }

  std::vector<std::string> take_warnings() { return std::move(warnings_); }

 private:
  int milliseconds_left() const {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
    return static_cast<int>(std::max<std::chrono::milliseconds::rep>(0, left.count()));
  }

  Gpus of_driver(Gpus gpus) {
    if (!gpus.devices.empty() || environment_.has("CUDA_VISIBLE_DEVICES")) return gpus;
    const auto files = gpus_by_device_files(roots_, stops_);
    if (files && !files->empty()) {
      gpus.warnings.push_back(
          fmt::format("CUDA finds no GPU, but {} of /dev/nvidia* can be opened", files->size()));
    }
    return gpus;
  }

  /// `worth_a_word`: something here looks like a GPU that a program could use.
  Gpus without_driver(const std::string& reason, bool worth_a_word) {
    Gpus gpus = no_gpus("device files");
    auto files = gpus_by_device_files(roots_, stops_);
    if (files) gpus.devices = std::move(*files);
    if (!files && worth_a_word) warnings_.push_back(files.error().message);
    if (gpus.devices.empty()) gpus = by_nvidia_smi(worth_a_word);
    if (worth_a_word) {
      warnings_.push_back(
          gpus.devices.empty()
              ? fmt::format("the CUDA driver cannot be asked ({}); assuming no GPU", reason)
              : fmt::format("the CUDA driver cannot be asked ({}); the GPUs were "
                            "counted by {}",
                            reason, gpus.source));
    }
    if (const int instances = mig_instances_in_proc(roots_); instances > 0 && gpus.count() > 0) {
      warnings_.push_back(fmt::format(
          "the GPUs are divided into {} MIG instances, and without the driver nobody knows which "
          "of them are ours",
          instances));
    }
    choose(gpus);
    return gpus;
  }

  Gpus by_nvidia_smi(bool worth_a_word) {
    if (!has_nvidia_smi(environment_) || milliseconds_left() == 0) return no_gpus("none");
    Result<Gpus> answer = ask_nvidia_smi(environment_, {milliseconds_left(), stops_});
    if (answer) return std::move(*answer);
    if (worth_a_word) warnings_.push_back(answer.error().message);
    return no_gpus("none");
  }

  void choose(Gpus& gpus) {
    if (const std::string* value = environment_.find("CUDA_VISIBLE_DEVICES"))
      gpus.devices = visible_devices(gpus.devices, *value, warnings_);
  }

  std::vector<std::string> warnings_;
  const Environment& environment_;
  GpuProbe probe_;
  const SystemRoots& roots_;
  Clock::time_point deadline_;
  sys::StopSignals stops_;
};

}  // namespace

Gpus detect_gpus(const Environment& environment, std::optional<GpuProbe> probe,
                 const sys::Patience& patience, const SystemRoots& roots) {
  Search search(environment, probe, patience, roots);
  Gpus gpus = search.run();
  for (std::string& warning : search.take_warnings()) gpus.warnings.push_back(std::move(warning));
  gpus.chosen = environment.has("CUDA_VISIBLE_DEVICES");
  for (Gpu& gpu : gpus.devices) gpu.numa_node = numa_node_of_pci(gpu.pci, roots);
  if (gpus.count() > 0 && gpus.driver_version.empty())
    gpus.driver_version = version_of_nvidia_module(roots);
  return gpus;
}

}  // namespace trainit::hardware
