#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trainit {

/// The one of `names` that somebody who typed `name` most likely meant: it is reached by at most
/// one slip for every three of its characters, where a slip is a character too many, too few or
/// another one, or two that changed places. The first of several; nothing when none is that near.
std::optional<std::string> nearest_name(std::string_view name,
                                        const std::vector<std::string>& names);

}  // namespace trainit
