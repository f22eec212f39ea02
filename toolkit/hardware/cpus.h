#pragma once

#include <string_view>
#include <vector>

#include "hardware/roots.h"
#include "sys/cgroup.h"
#include "trainit/hardware.h"

namespace trainit::hardware {

/// Online CPUs, this process's affinity (which the kernel keeps within its cpuset), and the
/// smallest CPU quota of its control group and the groups above it.
Cpus detect_cpus(const SystemRoots& roots, const sys::ControlGroups& groups);

/// The numbers of the CPUs that this process may run on, ascending; empty when the kernel does not
/// say.
std::vector<int> cpus_of_affinity();

/// "0-3,8" → 0, 1, 2, 3, 8, as /sys writes lists of CPUs; stops at what is no such list.
std::vector<int> parse_cpu_list(std::string_view text);

}  // namespace trainit::hardware
