// What the platform's machines should have, for messages only.
#include <algorithm>
#include <iterator>

#include "trainit/hardware.h"

namespace trainit {
namespace {

struct InstanceType {
  std::string_view name;
  int gpus, efa_devices;
};

constexpr InstanceType kInstanceTypes[] = {
    {"g4dn.12xlarge", 4, 1},      {"g4dn.16xlarge", 1, 1},    {"g4dn.2xlarge", 1, 0},
    {"g4dn.4xlarge", 1, 0},       {"g4dn.8xlarge", 1, 1},     {"g4dn.xlarge", 1, 0},
    {"g5.12xlarge", 4, 1},        {"g5.16xlarge", 1, 1},      {"g5.24xlarge", 4, 1},
    {"g5.2xlarge", 1, 0},         {"g5.48xlarge", 8, 1},      {"g5.4xlarge", 1, 0},
    {"g5.8xlarge", 1, 1},         {"g5.xlarge", 1, 0},        {"g6.12xlarge", 4, 1},
    {"g6.16xlarge", 1, 1},        {"g6.24xlarge", 4, 1},      {"g6.2xlarge", 1, 0},
    {"g6.48xlarge", 8, 1},        {"g6.4xlarge", 1, 0},       {"g6.8xlarge", 1, 1},
    {"g6.xlarge", 1, 0},          {"g6e.12xlarge", 4, 1},     {"g6e.16xlarge", 1, 1},
    {"g6e.24xlarge", 4, 2},       {"g6e.2xlarge", 1, 0},      {"g6e.48xlarge", 8, 4},
    {"g6e.4xlarge", 1, 0},        {"g6e.8xlarge", 1, 1},      {"g6e.xlarge", 1, 0},
    {"g7e.12xlarge", 2, 1},       {"g7e.24xlarge", 4, 2},     {"g7e.2xlarge", 1, 0},
    {"g7e.48xlarge", 8, 4},       {"g7e.4xlarge", 1, 0},      {"g7e.8xlarge", 1, 1},
    {"p2.16xlarge", 16, 0},       {"p2.8xlarge", 8, 0},       {"p2.xlarge", 1, 0},
    {"p3.16xlarge", 8, 0},        {"p3.2xlarge", 1, 0},       {"p3.8xlarge", 4, 0},
    {"p3dn.24xlarge", 8, 1},      {"p4d.24xlarge", 8, 4},     {"p4de.24xlarge", 8, 4},
    {"p5.48xlarge", 8, 32},       {"p5.4xlarge", 1, 1},       {"p5e.48xlarge", 8, 32},
    {"p5en.48xlarge", 8, 16},     {"p6-b200.48xlarge", 8, 8}, {"p6-b300.48xlarge", 8, 16},
    {"p6e-gb200.36xlarge", 4, 0},
};

/// Null: the type is unknown.
const InstanceType* find_type(std::string_view name) {
  if (name.starts_with("ml.")) name.remove_prefix(3);
  const auto found = std::find_if(std::begin(kInstanceTypes), std::end(kInstanceTypes),
                                  [&](const auto& type) { return type.name == name; });
  return found == std::end(kInstanceTypes) ? nullptr : found;
}

}  // namespace

std::optional<int> expected_gpus(std::string_view instance_type) {
  const InstanceType* type = find_type(instance_type);
  return type == nullptr ? std::nullopt : std::optional(type->gpus);
}

std::optional<int> expected_gpus(std::string_view instance_type, const Gpus& gpus) {
  const bool divided =
      std::any_of(gpus.devices.begin(), gpus.devices.end(), [](const Gpu& gpu) { return gpu.mig; });
  return gpus.chosen || divided ? std::nullopt : expected_gpus(instance_type);
}

std::optional<int> expected_efa_devices(std::string_view instance_type) {
  const InstanceType* type = find_type(instance_type);
  return type == nullptr ? std::nullopt : std::optional(type->efa_devices);
}

}  // namespace trainit
