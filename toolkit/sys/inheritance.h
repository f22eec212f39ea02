#pragma once

#include <sys/resource.h>

#include <vector>

#include "sys/signals.h"
#include "sys/unique_fd.h"

namespace trainit::sys {

/// What our caller left to this process, which is really meant for the workers.
struct Inheritance {
  InheritedSignals signals;
  /// Every descriptor from 3 on that was open. The workers get them; we keep none, so that a pipe
  /// of the caller's ends when the workers end.
  std::vector<UniqueFd> descriptors;
  rlimit open_files = {};  ///< RLIMIT_NOFILE; ours may be raised
};

/// The numbers of all descriptors that this process has open, by /proc; without it, of those below
/// 65,536.
std::vector<int> open_descriptors();

/// Closes every descriptor from 3 on but these.
void close_all_but(std::vector<int> kept);

/// First thing in main, before anything is opened: takes signals over, notes the descriptors, and
/// opens what is closed of 0, 1 and 2 on nothing, so that no file of ours gets these numbers.
Inheritance take_inheritance();

}  // namespace trainit::sys
