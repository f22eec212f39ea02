#pragma once

#include "hardware/roots.h"
#include "sys/capture.h"
#include "trainit/hardware.h"

namespace trainit::hardware {

/// The GPUs that a CUDA program started with `environment` would see. The driver is asked by the
/// embedded helper; where that fails, the device files that open are counted; where there is none,
/// nvidia-smi is asked. No process is started on a machine that shows no sign of an NVIDIA GPU,
/// unless `probe` says so; unset: TRAINIT_GPU_PROBE does. `patience` holds for all of it.
Gpus detect_gpus(const Environment& environment, std::optional<GpuProbe> probe,
                 const sys::Patience& patience, const SystemRoots& roots = {});

}  // namespace trainit::hardware
