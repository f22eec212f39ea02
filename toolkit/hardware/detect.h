#pragma once

#include "hardware/roots.h"
#include "trainit/hardware.h"

namespace trainit::hardware {

/// `trainit::detect_hardware` below other roots.
Hardware detect(const Environment& environment, const HardwareOptions& options,
                const SystemRoots& roots);

}  // namespace trainit::hardware
