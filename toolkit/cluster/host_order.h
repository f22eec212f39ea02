#pragma once

#include <string_view>

namespace trainit::cluster {

/// Whether host `a` has a lower rank than host `b`: runs of digits compare as numbers of any size
/// ("algo-2" before "algo-10"), all else as bytes. Different names are never equal.
bool host_before(std::string_view a, std::string_view b);

}  // namespace trainit::cluster
