#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trainit::sys {

/// The control groups that this process is in, as they were when this was read.
class ControlGroups {
 public:
  /// `proc` is the root that /proc/self is read below. None are known where it cannot be read.
  static ControlGroups of_process(const std::string& proc = "/proc");

  /// The directories of the process's group, its own first, then its parents up to the mount point:
  /// a limit anywhere on that way counts. Both versions are looked at: the hierarchy of
  /// `controller`
  /// ("cpu", "memory") where version 1 has one, and the unified one. Empty when neither is mounted.
  std::vector<std::string> directories(std::string_view controller) const;

 private:
  std::vector<std::string> mounts_;  ///< lines of mountinfo
  std::string groups_;               ///< /proc/self/cgroup
};

/// How many processes the kernel has killed for want of memory in the group of this process and
/// below it, since that was made ("oom_kill" of memory.events, or in version 1 of
/// memory.oom_control). Nothing where the kernel does not count them.
std::optional<std::int64_t> count_oom_kills(const ControlGroups& groups);

}  // namespace trainit::sys
