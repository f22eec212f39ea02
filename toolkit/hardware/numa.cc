#include "hardware/numa.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "hardware/cpus.h"
#include "sys/files.h"

namespace trainit::hardware {

std::optional<cpu_set_t> cpus_of_numa_node(int node, const SystemRoots& roots) {
  if (node < 0) return std::nullopt;
  const std::vector<int> ours = cpus_of_affinity();
  if (ours.empty() || ours.back() >= CPU_SETSIZE) return std::nullopt;
  cpu_set_t set;
  CPU_ZERO(&set);
  const std::string list =
      sys::read_line(fmt::format("{}/devices/system/node/node{}/cpulist", roots.sys, node));
  for (const int cpu : parse_cpu_list(list)) {
    if (std::binary_search(ours.begin(), ours.end(), cpu))
      CPU_SET(static_cast<std::size_t>(cpu), &set);
  }
  if (CPU_COUNT(&set) == 0) return std::nullopt;
  return set;
}

int numa_node_of_pci(const std::string& pci, const SystemRoots& roots) {
  if (pci.empty()) return -1;
  const std::string text =
      sys::read_line(fmt::format("{}/bus/pci/devices/{}/numa_node", roots.sys, pci));
  return parse_number<int>(text).value_or(-1);
}

}  // namespace trainit::hardware
