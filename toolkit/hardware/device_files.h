#pragma once

#include <string>
#include <vector>

#include "hardware/roots.h"
#include "sys/signals.h"
#include "trainit/hardware.h"
#include "trainit/result.h"

namespace trainit::hardware {

/// Whether /dev has anything by which a program reaches an NVIDIA GPU: the driver's files, those of
/// the boards with a GPU inside, or Windows' own.
bool has_nvidia_device(const SystemRoots& roots);
/// Whether the kernel has NVIDIA's driver loaded. In a container this is the host's: there may be
/// no device for us.
bool has_nvidia_module(const SystemRoots& roots);

/// The GPUs whose device files (/dev/nvidia0 …) can be opened for reading and writing, in the order
/// of their PCI addresses where /proc says them, with the names and UUIDs that it has. A child
/// opens them, because a driver that hangs may do so there too. Error: it did not come back within
/// a second, or one of `stops` came.
Result<std::vector<Gpu>> gpus_by_device_files(const SystemRoots& roots,
                                              const sys::StopSignals& stops);

/// MIG instances that /proc shows for all GPUs.
int mig_instances_in_proc(const SystemRoots& roots);

/// "580.65.06" as the kernel's module has it; empty when it does not say.
std::string version_of_nvidia_module(const SystemRoots& roots);

}  // namespace trainit::hardware
