#pragma once

#include <sched.h>

#include <optional>

#include "hardware/roots.h"

namespace trainit::hardware {

/// The CPUs of a NUMA node that this process may run on. Nothing when the node is unknown (-1),
/// when none of its CPUs is ours, or when this process may use CPUs past the 1,024 that a
/// `cpu_set_t` holds.
std::optional<cpu_set_t> cpus_of_numa_node(int node, const SystemRoots& roots = {});

/// The NUMA node of a PCI device ("0000:1b:00.0"); -1 when the kernel does not say.
int numa_node_of_pci(const std::string& pci, const SystemRoots& roots = {});

}  // namespace trainit::hardware
