#pragma once

#include <cstdint>
#include <string>

#include "check/finding.h"
#include "check/python.h"
#include "check/subject.h"

/// Area "shm": /dev/shm, where data loaders and NCCL keep their buffers.
namespace trainit::check {

struct SharedMemoryFacts {
  bool there = false;
  std::uint64_t size = 0, free = 0;  ///< bytes; size 0: without a limit of its own
  std::string write_error;           ///< why no file can be made there; empty: it can
  int workers = 1;
  bool loads_data = false;  ///< a data loader with processes of its own is likely
};
SharedMemoryFacts shared_memory_facts(const Subject& subject, const PythonFacts& python);

AreaReport judge_shared_memory(const SharedMemoryFacts& facts);

}  // namespace trainit::check
