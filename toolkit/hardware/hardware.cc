#include "trainit/hardware.h"

#include <algorithm>
#include <cmath>

#include "hardware/cpus.h"
#include "hardware/detect.h"
#include "hardware/gpus.h"
#include "hardware/memory.h"
#include "hardware/network.h"
#include "hardware/neuron.h"
#include "sys/host_name.h"

namespace trainit {

int Cpus::usable() const {
  const double cpus = quota > 0 ? std::min<double>(affinity, quota) : affinity;
  return std::max(1, static_cast<int>(std::floor(cpus)));
}

bool Hardware::has_interface(std::string_view name) const {
  return std::any_of(interfaces.begin(), interfaces.end(),
                     [&](const NetworkInterface& interface) { return interface.name == name; });
}

Hardware detect_hardware(const Environment& environment, const HardwareOptions& options) {
  return hardware::detect(environment, options, sys::ControlGroups::of_process());
}

namespace hardware {

Hardware detect(const Environment& environment, const HardwareOptions& options,
                const sys::ControlGroups& groups, const SystemRoots& roots) {
  Hardware found;
  found.hostname = sys::host_name();
  found.cpus = detect_cpus(roots, groups);
  found.gpus = detect_gpus(environment, options.gpu_probe,
                           {options.gpu_deadline_ms, options.stop_signals}, roots);
  const Result<int> neuron_cores =
      count_neuron_cores(environment, {options.neuron_deadline_ms, options.stop_signals}, roots);
  found.neuron_cores = neuron_cores.value_or(0);
  if (!neuron_cores) found.warnings.push_back(neuron_cores.error().message);
  found.memory_total = total_memory(roots);
  found.memory_limit = memory_limit(groups);
  found.shm_size = shared_memory_size(roots);
  found.open_files_limit = open_files_limit();
  found.efa_devices = count_efa_devices(roots);
  found.interfaces = network_interfaces(roots);
  return found;
}

}  // namespace hardware
}  // namespace trainit
