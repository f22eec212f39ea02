#include "hardware/driver_query.h"

#include <fmt/core.h>

#include <climits>

#include "base/json_members.h"
#include "hardware/gpu_helper/embedded.h"
#include "hardware/pci.h"
#include "hardware/tool.h"
#include "sys/memfd.h"
#include "trainit/json.h"

namespace trainit::hardware {
namespace {

constexpr char kName[] = "trainit-gpu-helper";
// More than any device has, or any of the driver's texts.
constexpr std::int64_t kMostMemory = std::int64_t{1} << 50;
constexpr std::size_t kLongestText = 256;

std::string short_line_of(const Json& object, std::string_view name) {
  return line_of(object, name, kLongestText);
}

/// 0, which stands for unknown, when it is none that a device can have.
std::int64_t number_up_to(std::int64_t largest, const Json& object, std::string_view name) {
  const std::int64_t number = integer_of(object, name).value_or(0);
  return number >= 0 && number <= largest ? number : 0;
}

Gpu gpu_of(const Json& device, int index) {
  Gpu gpu;
  gpu.index = index;
  gpu.name = short_line_of(device, "name");
  gpu.uuid = short_line_of(device, "uuid");
  gpu.pci = pci_address(short_line_of(device, "pci"));
  gpu.memory = static_cast<std::uint64_t>(number_up_to(kMostMemory, device, "memory"));
  gpu.compute_major = static_cast<int>(number_up_to(INT_MAX, device, "major"));
  gpu.compute_minor = static_cast<int>(number_up_to(INT_MAX, device, "minor"));
  gpu.mig = flag_of(device, "mig");
  return gpu;
}

/// 12040 → "12.4"
std::string cuda_version(std::int64_t number) {
  if (number <= 0) return {};
  return fmt::format("{}.{}", number / 1000, number % 1000 / 10);
}

/// "cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)"
std::string error_text(const Json& answer) {
  const std::string what = short_line_of(answer, "error");
  const std::string message = short_line_of(answer, "message");
  if (what == "dlopen") return message.empty() ? "libcuda.so.1 cannot be loaded" : message;
  if (what == "dlsym") return "libcuda.so.1 has no " + message;
  const std::string name = short_line_of(answer, "name");
  return fmt::format("{}: {} ({})", what, name.empty() ? "error" : name,
                     integer_of(answer, "code").value_or(0));
}

}  // namespace

Result<Gpus> parse_driver_answer(std::string_view line) {
  const Result<Json> answer = Json::parse(line);
  if (!answer) return fail("its answer is no JSON", answer.error());
  if (answer->find("error") != nullptr) return fail(error_text(*answer));
  const Json* devices = answer->find("devices");
  if (devices == nullptr || devices->array() == nullptr) return fail("its answer names no devices");
  Gpus gpus;
  gpus.source = "libcuda";
  gpus.driver_version = short_line_of(*answer, "driver");
  gpus.cuda_version = cuda_version(integer_of(*answer, "cuda").value_or(0));
  for (const Json& device : *devices->array()) gpus.devices.push_back(gpu_of(device, gpus.count()));
  const std::int64_t instances = integer_of(*answer, "mig_instances").value_or(0);
  if (instances > gpus.count()) {
    gpus.warnings.push_back(fmt::format(
        "the GPUs are divided into {} MIG instances, of which one CUDA program sees {}; "
        "CUDA_VISIBLE_DEVICES chooses which",
        instances, gpus.count()));
  }
  return gpus;
}

Result<Gpus> ask_driver(const Environment& environment, const sys::Patience& patience) {
  if (gpu_helper_program().empty()) return fail("there is no GPU helper for this processor");
  const sys::UniqueFd program = TRAINIT_TRY(sys::program_in_memory(kName, gpu_helper_program()));
  sys::SpawnRequest request;
  request.argv = {kName};
  request.executable_fd = program.get();
  const std::string answer = TRAINIT_TRY(run_quietly(std::move(request), environment, patience));
  return parse_driver_answer(answer);
}

}  // namespace trainit::hardware
