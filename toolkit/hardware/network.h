#pragma once

#include <vector>

#include "hardware/roots.h"
#include "trainit/hardware.h"

namespace trainit::hardware {

/// The interfaces of this process's network namespace, by name. The kernel is asked for them; where
/// that is forbidden, /sys is.
std::vector<NetworkInterface> network_interfaces(const SystemRoots& roots = {});

/// The two ways; empty when this one is closed.
std::vector<NetworkInterface> interfaces_of_kernel();
std::vector<NetworkInterface> interfaces_of_sysfs(const SystemRoots& roots);

/// Elastic Fabric Adapters among the machine's RDMA devices.
int count_efa_devices(const SystemRoots& roots = {});

}  // namespace trainit::hardware
