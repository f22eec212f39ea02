#pragma once

#include <cstdint>

#include "hardware/roots.h"
#include "sys/cgroup.h"

namespace trainit::hardware {

/// Bytes of the machine (MemTotal); 0 when /proc does not say.
std::uint64_t total_memory(const SystemRoots& roots = {});
/// The smallest memory limit, in bytes, of this process's control group and the groups above it; 0:
/// there is none.
std::uint64_t memory_limit(const sys::ControlGroups& groups);
/// Bytes that /dev/shm can hold; 0 when there is no such directory.
std::uint64_t shared_memory_size(const SystemRoots& roots = {});
/// RLIMIT_NOFILE, the soft one.
std::uint64_t open_files_limit();

}  // namespace trainit::hardware
