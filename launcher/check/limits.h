#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "check/finding.h"
#include "check/subject.h"

/// Area "limits": what the kernel lets the workers have.
namespace trainit::check {

struct LimitFacts {
  std::uint64_t open_files = 0;               ///< RLIMIT_NOFILE, the soft one
  std::optional<std::uint64_t> locked_bytes;  ///< RLIMIT_MEMLOCK; nothing: unlimited
  /// How many more processes and threads the control groups allow; nothing: no limit is known.
  std::optional<std::uint64_t> processes_left;
  /// RLIMIT_NPROC: processes and threads of this user, of all its containers; nothing: unlimited,
  /// or we are root, whom it does not bind.
  std::optional<std::uint64_t> of_user;
  std::uint64_t memory = 0;  ///< bytes of the control groups; 0: no limit
  int workers = 1;
  int gpus = 0;
  int rdma_devices = 0;  ///< EFA or InfiniBand
};
LimitFacts limit_facts(const Subject& subject);

AreaReport judge_limits(const LimitFacts& facts);

}  // namespace trainit::check
