#pragma once

#include <optional>
#include <string_view>

#include "hardware/roots.h"
#include "sys/capture.h"
#include "trainit/environment.h"
#include "trainit/result.h"

namespace trainit::hardware {

/// NeuronCores: the sum of `nc_count` in `neuron-ls -j`; 0 when nothing here looks like such a
/// device. Error: there is one, and neuron-ls does not tell of it.
Result<int> count_neuron_cores(const Environment& environment, const sys::Patience& patience,
                               const SystemRoots& roots = {});

/// The sum in one answer, which may have lines of other text before it; nothing when there is no
/// such JSON.
std::optional<int> sum_of_neuron_cores(std::string_view json);

}  // namespace trainit::hardware
