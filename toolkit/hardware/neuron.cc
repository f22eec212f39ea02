#include "hardware/neuron.h"

#include <fmt/core.h>

#include "hardware/tool.h"
#include "sys/files.h"
#include "trainit/json.h"

namespace trainit::hardware {
namespace {

// Where the driver's packages put it, which is not on every PATH.
constexpr char kNeuronTools[] = "/opt/aws/neuron/bin";

/// Without the lines before the one that begins with '['.
std::string_view from_first_list(std::string_view text) {
  if (text.starts_with('[')) return text;
  const std::size_t line_end = text.find("\n[");
  return line_end == std::string_view::npos ? text : text.substr(line_end + 1);
}

}  // namespace

std::optional<int> sum_of_neuron_cores(std::string_view text) {
  const Result<Json> answer = Json::parse(from_first_list(text));
  if (!answer || answer->array() == nullptr) return std::nullopt;
  std::int64_t sum = 0;
  for (const Json& device : *answer->array()) {
    const Json* cores = device.find("nc_count");
    const auto count = cores == nullptr ? std::nullopt : cores->to_int64();
    if (count && *count > 0 && *count < 1024) sum += *count;
  }
  return static_cast<int>(sum);
}

Result<int> count_neuron_cores(const Environment& environment, const sys::Patience& patience,
                               const SystemRoots& roots) {
  // Images bring the tool also to machines that have no such device, where it fails.
  const bool device = sys::exists(roots.dev + "/neuron0");
  if (!device && !has_tool(environment, "neuron-ls")) return 0;
  const auto answer = run_tool(environment, "neuron-ls", {"-j"}, patience, kNeuronTools);
  const auto cores = answer ? sum_of_neuron_cores(*answer) : std::nullopt;
  if (cores || !device) return cores.value_or(0);
  return fail(fmt::format(
      "/dev/neuron0 is there, but neuron-ls does not tell its cores ({}); assuming none",
      answer ? "its answer is no list in JSON" : answer.error().message));
}

}  // namespace trainit::hardware
