#pragma once

#include <string_view>

#include "hardware/roots.h"
#include "sys/capture.h"
#include "trainit/environment.h"

namespace trainit::hardware {

/// NeuronCores: the sum of `nc_count` in `neuron-ls -j`; 0 when there is no such device, or the
/// answer is none.
int count_neuron_cores(const Environment& environment, const sys::Patience& patience,
                       const SystemRoots& roots = {});

/// The sum in one answer; 0 for text that is no such JSON.
int sum_of_neuron_cores(std::string_view json);

}  // namespace trainit::hardware
