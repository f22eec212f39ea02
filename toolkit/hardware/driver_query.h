#pragma once

#include <string_view>

#include "trainit/hardware.h"

namespace trainit::hardware {

/// Asks libcuda, in a child that runs the embedded helper with `environment`. Error: the helper
/// cannot run here, does not end in time, crashes, or says that the driver has a problem.
Result<Gpus> ask_driver(const Environment& environment, int deadline_ms);

/// One answer of the helper (see gpu_helper.c).
Result<Gpus> parse_driver_answer(std::string_view line);

}  // namespace trainit::hardware
