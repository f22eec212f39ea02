#include "hardware/neuron.h"

#include "hardware/tool.h"
#include "sys/files.h"
#include "trainit/json.h"

namespace trainit::hardware {
namespace {

// Where the driver's packages put it, which is not on every PATH.
constexpr char kNeuronTools[] = "/opt/aws/neuron/bin";

}  // namespace

int sum_of_neuron_cores(std::string_view json) {
  const Result<Json> answer = Json::parse(json);
  if (!answer || answer->array() == nullptr) return 0;
  std::int64_t sum = 0;
  for (const Json& device : *answer->array()) {
    const Json* cores = device.find("nc_count");
    const auto count = cores == nullptr ? std::nullopt : cores->to_int64();
    if (count && *count > 0 && *count < 1024) sum += *count;
  }
  return static_cast<int>(sum);
}

int count_neuron_cores(const Environment& environment, const sys::Patience& patience,
                       const SystemRoots& roots) {
  if (!sys::exists(roots.dev + "/neuron0") && !has_tool(environment, "neuron-ls")) return 0;
  const auto answer = run_tool(environment, "neuron-ls", {"-j"}, patience, kNeuronTools);
  return answer ? sum_of_neuron_cores(*answer) : 0;
}

}  // namespace trainit::hardware
