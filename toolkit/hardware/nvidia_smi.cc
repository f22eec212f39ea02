#include "hardware/nvidia_smi.h"

#include <fmt/core.h>

#include "base/text.h"
#include "hardware/tool.h"

namespace trainit::hardware {
namespace {

// Windows' own place for it.
constexpr char kMorePlaces[] = "/usr/lib/wsl/lib";

/// nvidia-smi writes eight digits of the domain and capitals, /sys has four and small letters.
std::string pci_address(std::string_view text) {
  if (text.size() == 16 && text.starts_with("0000")) text.remove_prefix(4);
  return to_lower_ascii(text);
}

}  // namespace

bool has_nvidia_smi(const Environment& environment) {
  return has_tool(environment, "nvidia-smi", kMorePlaces);
}

Result<Gpus> parse_nvidia_smi(std::string_view text) {
  Gpus gpus;
  gpus.source = "nvidia-smi";
  for (const std::string_view line : split(text, '\n')) {
    if (trim(line).empty()) continue;
    const auto fields = split(line, ',');
    if (fields.size() != 5) return fail(fmt::format("nvidia-smi: \"{}\"", trim(line)));
    Gpu gpu;
    gpu.index = gpus.count();
    gpu.name = trim(fields[0]);
    gpu.uuid = trim(fields[1]);
    gpu.pci = pci_address(trim(fields[2]));
    gpu.memory = parse_number<std::uint64_t>(trim(fields[3])).value_or(0) << 20;
    gpus.driver_version = trim(fields[4]);
    gpus.devices.push_back(std::move(gpu));
  }
  return gpus;
}

Result<Gpus> ask_nvidia_smi(const Environment& environment, int deadline_ms) {
  const std::string answer =
      TRAINIT_TRY(run_tool(environment, "nvidia-smi",
                           {"--query-gpu=name,uuid,pci.bus_id,memory.total,driver_version",
                            "--format=csv,noheader,nounits"},
                           deadline_ms, kMorePlaces));
  return parse_nvidia_smi(answer);
}

}  // namespace trainit::hardware
