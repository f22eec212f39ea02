#pragma once

#include "hardware/roots.h"
#include "sys/cgroup.h"
#include "trainit/hardware.h"

namespace trainit::hardware {

/// `trainit::detect_hardware` below other roots, with the limits of these groups.
Hardware detect(const Environment& environment, const HardwareOptions& options,
                const sys::ControlGroups& groups, const SystemRoots& roots = {});

}  // namespace trainit::hardware
