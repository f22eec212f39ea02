#include "hardware/cpus.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/text.h"
#include "sys/files.h"

namespace trainit::hardware {
namespace {

/// A machine with more CPUs than this is not built yet; it bounds the search for a mask's size.
constexpr int kMostCpus = 1 << 20;

struct FreeCpuSet {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};

/// "150000 100000" or "max 100000" → cpus; 0: no quota.
double quota_of_version_2(const std::string& directory) {
  const std::string line = sys::read_line(directory + "/cpu.max");
  const auto fields = split(line, ' ');
  if (fields.size() != 2) return 0;
  const auto quota = parse_number<double>(fields[0]);
  const auto period = parse_number<double>(fields[1]);
  return quota && period && *period > 0 ? *quota / *period : 0;
}

double quota_of_version_1(const std::string& directory) {
  const auto quota = parse_number<double>(sys::read_line(directory + "/cpu.cfs_quota_us"));
  const auto period = parse_number<double>(sys::read_line(directory + "/cpu.cfs_period_us"));
  return quota && period && *quota > 0 && *period > 0 ? *quota / *period : 0;
}

double smallest_quota(const sys::ControlGroups& groups) {
  double smallest = 0;
  for (const std::string& directory : groups.directories("cpu")) {
    for (const double quota : {quota_of_version_1(directory), quota_of_version_2(directory)}) {
      if (quota > 0 && (smallest == 0 || quota < smallest)) smallest = quota;
    }
  }
  return smallest;
}

}  // namespace

std::vector<int> parse_cpu_list(std::string_view text) {
  std::vector<int> cpus;
  for (const std::string_view part : split(trim(text), ',')) {
    const std::size_t dash = part.find('-');
    const auto first = parse_number<int>(part.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : parse_number<int>(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last >= kMostCpus) break;
    for (int cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

std::vector<int> cpus_of_affinity() {
  std::vector<int> cpus;
  // The kernel refuses a mask that is smaller than its own, and does not say how large that is.
  for (int most = CPU_SETSIZE; most <= kMostCpus; most *= 2) {
    const std::unique_ptr<cpu_set_t, FreeCpuSet> set(CPU_ALLOC(most));
    const std::size_t size = CPU_ALLOC_SIZE(most);
    if (set == nullptr) return cpus;
    CPU_ZERO_S(size, set.get());
    if (::sched_getaffinity(0, size, set.get()) == 0) {
      for (int cpu = 0; cpu < most; ++cpu) {
        if (CPU_ISSET_S(cpu, size, set.get())) cpus.push_back(cpu);
      }
      return cpus;
    }
    if (errno != EINVAL) return cpus;
  }
  return cpus;
}

Cpus detect_cpus(const SystemRoots& roots, const sys::ControlGroups& groups) {
  Cpus cpus;
  const auto online = parse_cpu_list(sys::read_line(roots.sys + "/devices/system/cpu/online"));
  cpus.affinity = std::max(1, static_cast<int>(cpus_of_affinity().size()));
  cpus.online = online.empty() ? cpus.affinity : static_cast<int>(online.size());
  cpus.quota = smallest_quota(groups);
  return cpus;
}

}  // namespace trainit::hardware
