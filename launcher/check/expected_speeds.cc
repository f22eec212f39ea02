#include "check/expected_speeds.h"

#include <algorithm>
#include <iterator>

namespace trainit::check {
namespace {

/// "Memory bandwidth" or "GPU memory bandwidth" of NVIDIA's datasheets: Tesla V100 (SXM2), T4, A10,
/// A100, L4, L40S, H100, H200, RTX PRO 6000 Blackwell Server Edition, and of its pages about HGX
/// B200 and B300. The names are those that CUDA gives; the longer one of two that fit comes first.
struct Memory {
  std::string_view name;
  double gigabytes;
};
constexpr Memory kMemories[] = {
    {"Tesla V100-SXM2", 900},
    {"Tesla T4", 320},
    {"NVIDIA A10G", 600},
    {"NVIDIA A100-SXM4-40GB", 1555},
    {"NVIDIA A100-SXM4-80GB", 2039},
    {"NVIDIA L40S", 864},
    {"NVIDIA L4", 300},
    {"NVIDIA H100 80GB HBM3", 3350},
    {"NVIDIA H200", 4800},
    {"NVIDIA RTX PRO 6000 Blackwell Server Edition", 1597},
    {"NVIDIA B200", 8000},
    {"NVIDIA B300", 8000},
};

/// Half of the "NVLink" or "GPU peer to peer" bandwidth of a GPU of Amazon's pages about the
/// instance types, which count both directions: P3 200 GB/s with four GPUs and 300 with eight, P4
/// 600, P5 900, P6 1,800. The GPUs of P3 are linked with some of the others only.
struct Link {
  std::string_view type;
  double gigabytes;
  bool switched;
};
constexpr Link kLinks[] = {
    {"p3.8xlarge", 100, false},        {"p3.16xlarge", 150, false},
    {"p3dn.24xlarge", 150, false},     {"p4d.24xlarge", 300, true},
    {"p4de.24xlarge", 300, true},      {"p5.48xlarge", 450, true},
    {"p5e.48xlarge", 450, true},       {"p5en.48xlarge", 450, true},
    {"p6-b200.48xlarge", 900, true},   {"p6-b300.48xlarge", 900, true},
    {"p6e-gb200.36xlarge", 900, true},
};

constexpr double kGiga = 1e9;

}  // namespace

std::optional<double> expected_memory_speed(std::string_view gpu) {
  // An instance of a divided GPU has a part of it.
  if (gpu.find(" MIG ") != std::string_view::npos) return std::nullopt;
  const auto found = std::find_if(std::begin(kMemories), std::end(kMemories),
                                  [&](const Memory& row) { return gpu.starts_with(row.name); });
  if (found == std::end(kMemories)) return std::nullopt;
  // "NVIDIA L4" is not the beginning of "NVIDIA L40", nor "NVIDIA H200" of "NVIDIA H200 NVL".
  const std::string_view rest = gpu.substr(found->name.size());
  if (!rest.empty() && (rest[0] != '-' && rest[0] != ' ')) return std::nullopt;
  if (rest.starts_with(" NVL") || rest.starts_with(" PCIe")) return std::nullopt;
  return found->gigabytes * kGiga;
}

std::optional<LinkSpeed> expected_link_speed(std::string_view instance_type) {
  if (instance_type.starts_with("ml.")) instance_type.remove_prefix(3);
  const auto found = std::find_if(std::begin(kLinks), std::end(kLinks),
                                  [&](const Link& row) { return row.type == instance_type; });
  if (found == std::end(kLinks)) return std::nullopt;
  return LinkSpeed{found->gigabytes * kGiga, found->switched};
}

}  // namespace trainit::check
