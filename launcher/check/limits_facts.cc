#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "check/limits.h"
#include "sys/cgroup.h"
#include "sys/files.h"

namespace trainit::check {
namespace {

std::optional<std::uint64_t> number_in(const std::string& path) {
  return parse_number<std::uint64_t>(sys::read_line(path));
}

/// The narrowest of the group of this process and those above it.
std::optional<std::uint64_t> processes_left(const hardware::SystemRoots& roots) {
  std::optional<std::uint64_t> least;
  const auto groups = sys::ControlGroups::of_process(roots.proc);
  for (const std::string& directory : groups.directories("pids")) {
    const auto most = number_in(directory + "/pids.max");
    const auto now = number_in(directory + "/pids.current");
    if (!most || !now) continue;
    const std::uint64_t left = *most > *now ? *most - *now : 0;
    least = std::min(least.value_or(left), left);
  }
  return least;
}

std::optional<std::uint64_t> limit_of(int resource) {
  rlimit limit = {};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return limit.rlim_cur;
}

}  // namespace

LimitFacts limit_facts(const Subject& subject) {
  LimitFacts facts;
  facts.open_files = subject.hardware.open_files_limit;
  facts.locked_bytes = limit_of(RLIMIT_MEMLOCK);
  facts.processes_left = processes_left(subject.roots.system);
  if (::geteuid() != 0) facts.of_user = limit_of(RLIMIT_NPROC);
  facts.memory = subject.hardware.memory_limit;
  facts.workers = subject.workers;
  facts.gpus = subject.hardware.gpus.count();
  facts.rdma_devices =
      static_cast<int>(sys::list_directory(subject.roots.system.sys + "/class/infiniband")
                           .value_or(std::vector<std::string>())
                           .size());
  return facts;
}

}  // namespace trainit::check
