#include "hardware/nvidia_smi.h"

#include <fmt/core.h>

#include "base/text.h"
#include "base/utf8.h"
#include "hardware/pci.h"
#include "hardware/tool.h"

namespace trainit::hardware {
namespace {

// Windows' own place for it.
constexpr char kMorePlaces[] = "/usr/lib/wsl/lib";

// A message that is quoted in the log may have any length.
constexpr std::size_t kLongestQuote = 200;

std::string quoted(std::string_view line) {
  return utf8::one_line(utf8::truncate(trim(line), kLongestQuote));
}

/// Of a field in MiB; 0 when it is none, as for "[N/A]".
std::uint64_t memory_of(std::string_view field) {
  const auto mebibytes = parse_number<std::uint32_t>(trim(field));
  return std::uint64_t{mebibytes.value_or(0)} << 20;
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
    if (fields.size() != 5) return fail(fmt::format("nvidia-smi: \"{}\"", quoted(line)));
    Gpu gpu;
    gpu.index = gpus.count();
    gpu.name = utf8::one_line(trim(fields[0]));
    gpu.uuid = utf8::one_line(trim(fields[1]));
    gpu.pci = pci_address(utf8::one_line(trim(fields[2])));
    gpu.memory = memory_of(fields[3]);
    gpus.driver_version = utf8::one_line(trim(fields[4]));
    gpus.devices.push_back(std::move(gpu));
  }
  return gpus;
}

Result<Gpus> ask_nvidia_smi(const Environment& environment, const sys::Patience& patience) {
  const std::string answer =
      TRAINIT_TRY(run_tool(environment, "nvidia-smi",
                           {"--query-gpu=name,uuid,pci.bus_id,memory.total,driver_version",
                            "--format=csv,noheader,nounits"},
                           patience, kMorePlaces));
  return parse_nvidia_smi(answer);
}

}  // namespace trainit::hardware
