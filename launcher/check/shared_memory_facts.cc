#include <sys/statvfs.h>

#include "check/scratch_file.h"
#include "check/shared_memory.h"
#include "sys/files.h"

namespace trainit::check {

SharedMemoryFacts shared_memory_facts(const Subject& subject, const PythonFacts& python) {
  const std::string path = subject.roots.system.dev + "/shm";
  SharedMemoryFacts facts;
  facts.workers = subject.workers;
  // Before the imports have been looked at, a Python program is taken for one that loads data.
  facts.loads_data = python.used && (python.version.empty() || python.uses_torch);
  struct statvfs status = {};
  if (!sys::is_directory(path) || ::statvfs(path.c_str(), &status) != 0) return facts;
  facts.there = true;
  facts.size = std::uint64_t{status.f_blocks} * status.f_frsize;
  facts.free = std::uint64_t{status.f_bavail} * status.f_frsize;
  facts.write_error = scratch_file_error(path);
  return facts;
}

}  // namespace trainit::check
