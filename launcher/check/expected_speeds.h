#pragma once

#include <optional>
#include <string_view>

/// What the makers promise of GPUs and instance types, as far as it is known here: for comparison
/// with what was measured.
namespace trainit::check {

/// Bytes a second that the memory of a GPU of this name moves at best, in both directions together.
/// Nothing: the GPU is not in the table.
std::optional<double> expected_memory_speed(std::string_view gpu);

/// Bytes a second that a GPU of this instance type can send to the others of its host by NVLink.
/// Nothing: the type is not in the table, or its GPUs have no NVLink.
struct LinkSpeed {
  double bytes = 0;
  bool switched = false;  ///< each GPU reaches each other one at this speed (NVSwitch)
};
std::optional<LinkSpeed> expected_link_speed(std::string_view instance_type);

}  // namespace trainit::check
