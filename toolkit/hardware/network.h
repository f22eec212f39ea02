#pragma once

#include <string>
#include <vector>

#include "hardware/roots.h"
#include "trainit/hardware.h"

namespace trainit::hardware {

/// The interfaces of this process's network namespace, by name: those of /proc/net/dev, or, where
/// there is no /proc, those that the kernel names when it is asked, which takes ten times as long.
/// Not those of /sys: it shows the namespace that it was mounted in, which may be another one.
std::vector<NetworkInterface> network_interfaces(const SystemRoots& roots = {});

/// The two ways; empty when this one is closed.
std::vector<std::string> interface_names_of_proc(const SystemRoots& roots);
std::vector<std::string> interface_names_of_kernel();

/// Elastic Fabric Adapters among the machine's RDMA devices.
int count_efa_devices(const SystemRoots& roots = {});

}  // namespace trainit::hardware
