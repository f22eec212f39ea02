#include "hardware/watch_line.h"

#include <fmt/core.h>

#include "base/json_members.h"
#include "hardware/pci.h"
#include "hardware/xid.h"
#include "trainit/json.h"

namespace trainit::hardware::watch {
namespace {

constexpr std::size_t kLongestText = 256;
constexpr std::int64_t kMostMemory = std::int64_t{1} << 50;
constexpr std::int64_t kMostGpus = 4096;

std::string short_line_of(const Json& object, std::string_view name) {
  return line_of(object, name, kLongestText);
}

std::optional<std::int64_t> number_up_to(std::int64_t most, const Json& object,
                                         std::string_view name) {
  const auto number = integer_of(object, name);
  return number && *number >= 0 && *number <= most ? number : std::nullopt;
}

std::optional<int> small_number_of(const Json& object, std::string_view name, int most) {
  const auto number = number_up_to(most, object, name);
  return number ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

std::uint64_t bytes_of(const Json& object, std::string_view name) {
  return static_cast<std::uint64_t>(number_up_to(kMostMemory, object, name).value_or(0));
}

Sample sample_of(const Json& json, Device device) {
  constexpr int kHottest = 1000, kMostMilliwatts = 1'000'000'000;
  Sample sample;
  sample.device = std::move(device);
  sample.temperature = small_number_of(json, "temperature", kHottest);
  if (const auto milliwatts = small_number_of(json, "power", kMostMilliwatts))
    sample.power = (*milliwatts + 500) / 1000;
  sample.busy = small_number_of(json, "busy", 100);
  sample.memory_used = bytes_of(json, "used");
  sample.memory_total = bytes_of(json, "total");
  sample.throttle =
      static_cast<std::uint64_t>(number_up_to(INT64_MAX, json, "throttle").value_or(0));
  sample.memory_errors = number_up_to(INT64_MAX, json, "ecc").value_or(0);
  sample.remap_pending = number_up_to(INT64_MAX, json, "remap_pending").value_or(0) != 0;
  sample.remap_failed = number_up_to(INT64_MAX, json, "remap_failed").value_or(0) != 0;
  return sample;
}

std::optional<Line> of_gpu(const Json& json) {
  const auto number = small_number_of(json, "gpu", kMostGpus);
  if (!number) return std::nullopt;
  Device device{*number, pci_address(short_line_of(json, "pci")), short_line_of(json, "uuid")};
  if (json.find("lost") != nullptr) return Lost{std::move(device)};
  if (json.find("xid") == nullptr) return sample_of(json, std::move(device));
  constexpr int kMostXid = 1'000'000;
  const auto xid = small_number_of(json, "xid", kMostXid);
  if (!xid || *xid == GpuFault::kLost) return std::nullopt;
  return Xid{std::move(device), *xid};
}

/// "nvmlInit_v2: Driver Not Loaded (9)"
CannotWatch cannot_watch(const Json& json) {
  const std::string what = short_line_of(json, "error"), message = short_line_of(json, "message");
  if (what == "dlopen") return {message.empty() ? "libnvidia-ml.so.1 cannot be loaded" : message};
  if (what == "dlsym") return {"libnvidia-ml.so.1 has no " + message};
  return {fmt::format("{}: {} ({})", what, message.empty() ? "error" : message,
                      number_up_to(INT64_MAX, json, "code").value_or(0))};
}

}  // namespace

std::optional<Line> parse(std::string_view line) {
  const Result<Json> json = Json::parse(line);
  if (!json || json->object() == nullptr) return std::nullopt;
  if (json->find("error") != nullptr) return cannot_watch(*json);
  if (json->find("gpu") != nullptr) return of_gpu(*json);
  if (json->find("sampled") != nullptr) return Sampled{};
  const auto gpus = small_number_of(*json, "watch", kMostGpus);
  if (!gpus) return std::nullopt;
  return Started{*gpus, small_number_of(*json, "events", kMostGpus).value_or(0)};
}

}  // namespace trainit::hardware::watch
