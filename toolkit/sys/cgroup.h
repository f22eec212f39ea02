#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trainit::sys {

/// The directories of this process's control group, its own first, then its parents up to the mount
/// point: a limit anywhere on that way counts. Both versions are looked at: the hierarchy of
/// `controller` ("cpu", "memory") where version 1 has one, and the unified one. Empty when no
/// control groups are mounted. `proc` is the root that /proc/self is read below.
std::vector<std::string> cgroup_directories(std::string_view controller,
                                            const std::string& proc = "/proc");

}  // namespace trainit::sys
