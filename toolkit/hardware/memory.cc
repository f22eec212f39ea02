#include "hardware/memory.h"

#include <sys/resource.h>
#include <sys/statvfs.h>

#include <string>

#include "base/text.h"
#include "sys/files.h"

namespace trainit::hardware {
namespace {

/// Version 1 writes "no limit" as the largest multiple of the page size that a long can hold.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60;

/// 0 when the file is not there, says "max", or names more than any machine has.
std::uint64_t limit_in(const std::string& path) {
  const auto limit = parse_number<std::uint64_t>(sys::read_line(path));
  return limit && *limit < kNoLimit ? *limit : 0;
}

}  // namespace

std::uint64_t total_memory(const SystemRoots& roots) {
  const auto table = sys::read_file(roots.proc + "/meminfo");
  if (!table) return 0;
  for (std::string_view line : split(*table, '\n')) {
    constexpr std::string_view kName = "MemTotal:";
    if (!line.starts_with(kName)) continue;
    line.remove_prefix(kName.size());
    if (line.ends_with("kB")) line.remove_suffix(2);
    return parse_number<std::uint64_t>(trim(line)).value_or(0) * 1024;
  }
  return 0;
}

std::uint64_t memory_limit(const sys::ControlGroups& groups) {
  std::uint64_t smallest = 0;
  for (const std::string& directory : groups.directories("memory")) {
    for (const char* file : {"/memory.limit_in_bytes", "/memory.max"}) {
      const std::uint64_t limit = limit_in(directory + file);
      if (limit > 0 && (smallest == 0 || limit < smallest)) smallest = limit;
    }
  }
  return smallest;
}

std::uint64_t shared_memory_size(const SystemRoots& roots) {
  struct statvfs status = {};
  if (::statvfs((roots.dev + "/shm").c_str(), &status) != 0) return 0;
  return std::uint64_t{status.f_blocks} * status.f_frsize;
}

std::uint64_t open_files_limit() {
  rlimit limit = {};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

}  // namespace trainit::hardware
