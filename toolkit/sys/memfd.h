#pragma once

#include <string_view>

#include "sys/unique_fd.h"
#include "trainit/result.h"

namespace trainit::sys {

/// A program that lies in memory only, to be run by its descriptor (`SpawnRequest::executable_fd`):
/// close-on-exec, and sealed, so that nobody can change it. `name` is what /proc shows of it.
/// Error: the kernel has no memfd, or `vm.memfd_noexec` forbids programs in memory.
Result<UniqueFd> program_in_memory(const char* name, std::string_view program);

}  // namespace trainit::sys
