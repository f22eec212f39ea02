#pragma once

#include <string_view>

#include "sys/capture.h"
#include "trainit/hardware.h"

namespace trainit::hardware {

bool has_nvidia_smi(const Environment& environment);

/// Every GPU that nvidia-smi shows. It does not know CUDA_VISIBLE_DEVICES.
Result<Gpus> ask_nvidia_smi(const Environment& environment, const sys::Patience& patience);

/// Its answer: a line a GPU, "NVIDIA L4, GPU-…, 00000000:00:1E.0, 23034, 580.65.06". A line of
/// another form is an error: it may be a message.
Result<Gpus> parse_nvidia_smi(std::string_view text);

}  // namespace trainit::hardware
