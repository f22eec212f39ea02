#pragma once

#include <string_view>

#include "sys/capture.h"
#include "trainit/hardware.h"

namespace trainit::hardware {

/// Asks libcuda, in a child that runs the embedded helper with `environment`. Error: the helper
/// cannot run here, does not end in time, crashes, or says that the driver has a problem.
Result<Gpus> ask_driver(const Environment& environment, const sys::Patience& patience);

/// One answer of the helper (see gpu_helper.c). Texts are made to fit on a line, and a number that
/// no device can have is unknown.
Result<Gpus> parse_driver_answer(std::string_view line);

}  // namespace trainit::hardware
