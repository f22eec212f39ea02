#include "supervise/gpu_health.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/text.h"

namespace trainit::supervise {
namespace {

using hardware::GpuFault;
using hardware::watch::Sample;

// From when on a change is worth a line of the record.
constexpr int kTemperatureStep = 5, kBusyStep = 10;
constexpr std::uint64_t kMemorySteps = 100;
constexpr auto kWrittenAnyway = std::chrono::minutes(5);

constexpr double kSlowedShare = 0.1;
constexpr std::size_t kMostFaults = 1000;

/// NVML's reasons for lower clocks, but for those that somebody has chosen, and idleness.
struct Reason {
  std::uint64_t bit;
  std::string_view name;
  bool bad;  ///< nobody wants it: work that needs all the power there is meets its cap all the time
};
constexpr std::uint64_t kSlowdown = 0x8, kHot = 0x40, kBrake = 0x80;
constexpr Reason kReasons[] = {{0x4, "power cap", false},
                               {kSlowdown, "hardware slowdown", true},
                               {0x20, "too hot", true},
                               {kHot, "far too hot", true},
                               {kBrake, "power brake", true}};

/// The general reason goes with its special ones.
bool holds(const Reason& reason, std::uint64_t mask) {
  if (reason.bit == kSlowdown && (mask & (kHot | kBrake)) != 0) return false;
  return (mask & reason.bit) != 0;
}

std::uint64_t bad_reasons(const Sample& sample) {
  std::uint64_t mask = 0;
  for (const Reason& reason : kReasons) {
    if (reason.bad && holds(reason, sample.throttle)) mask |= reason.bit;
  }
  return mask;
}

bool differ(const std::optional<int>& a, const std::optional<int>& b, int step) {
  if (!a || !b) return a.has_value() != b.has_value();
  return std::abs(*a - *b) >= step;
}

bool memory_differs(const Sample& a, const Sample& b) {
  const std::uint64_t step = std::max<std::uint64_t>(1, b.memory_total / kMemorySteps);
  const std::uint64_t distance =
      std::max(a.memory_used, b.memory_used) - std::min(a.memory_used, b.memory_used);
  return distance >= step;
}

bool noticeable(const Sample& before, const Sample& now) {
  return differ(before.temperature, now.temperature, kTemperatureStep) ||
         differ(before.busy, now.busy, kBusyStep) || memory_differs(before, now) ||
         bad_reasons(before) != bad_reasons(now) || before.memory_errors != now.memory_errors ||
         before.remap_pending != now.remap_pending || before.remap_failed != now.remap_failed;
}

std::int64_t mebibytes(std::uint64_t bytes) { return static_cast<std::int64_t>(bytes >> 20); }

Json reasons_json(const Sample& sample) {
  Json::Array names;
  for (const Reason& reason : kReasons) {
    if (holds(reason, sample.throttle)) names.emplace_back(reason.name);
  }
  return Json(std::move(names));
}

void add_number(const char* name, const std::optional<int>& value, Json::Object& fields) {
  if (value) fields.push_back({name, Json(*value)});
}

Json sample_json(int gpu, const Sample& sample, bool first) {
  Json::Object fields{{"gpu", Json(gpu)}};
  if (first) fields.push_back({"pci", Json(sample.device.pci)});
  if (first) fields.push_back({"memory_total_mib", Json(mebibytes(sample.memory_total))});
  add_number("temperature", sample.temperature, fields);
  add_number("power", sample.power, fields);
  add_number("utilisation", sample.busy, fields);
  fields.push_back({"memory_mib", Json(mebibytes(sample.memory_used))});
  if (Json reasons = reasons_json(sample); reasons.truthy())
    fields.push_back({"throttled", std::move(reasons)});
  if (sample.memory_errors != 0) fields.push_back({"memory_errors", Json(sample.memory_errors)});
  if (sample.remap_pending) fields.push_back({"remap_pending", Json(true)});
  if (sample.remap_failed) fields.push_back({"remap_failed", Json(true)});
  return Json(std::move(fields));
}

std::string with_address(const GpuFault& fault) {
  return fault.pci.empty() ? fmt::format("GPU {}", fault.gpu)
                           : fmt::format("GPU {} ({})", fault.gpu, fault.pci);
}

std::string sentence(const GpuFault& fault) {
  if (fault.xid == GpuFault::kLost) return with_address(fault) + " cannot be reached any more";
  const std::string_view did = hardware::xid_meaning(fault.xid).did;
  return fmt::format("{} reported XID {}{}{}", with_address(fault), fault.xid,
                     did.empty() ? "" : ": it ", did);
}

double rounded(double seconds) { return std::round(seconds * 10) / 10; }

}  // namespace

GpuHealth::GpuHealth(std::vector<Gpu> gpus, Sinks sinks)
    : gpus_(std::move(gpus)), sinks_(std::move(sinks)) {}

void GpuHealth::hear(const hardware::watch::Line& line, sys::TimePoint now) {
  std::visit([&](const auto& what) { on(what, now); }, line);
}

bool GpuHealth::hardware_failed_since(sys::TimePoint when) const {
  return std::any_of(faults_.begin(), faults_.end(), [&](const GpuFault& fault) {
    return fault.at >= when && hardware::kind_of(fault) == hardware::XidKind::kHardware;
  });
}

std::optional<GpuHealth::MemoryInUse> GpuHealth::most_memory_in_use() const {
  std::optional<MemoryInUse> most;
  for (const Gpu& gpu : gpus_) {
    const auto state = states_.find(gpu.index);
    if (state == states_.end()) return std::nullopt;
    if (state->second.lost) continue;
    if (!state->second.last) return std::nullopt;
    const std::uint64_t used = state->second.last->memory_used;
    if (!most || used > most->bytes) most = MemoryInUse{gpu.index, used};
  }
  return most;
}

/// Null for a GPU that is not the job's. A program numbers GPUs otherwise than the management
/// library, so the address decides, or the UUID; a MIG instance has its GPU's address.
GpuHealth::State* GpuHealth::state_of(const hardware::watch::Device& device, int& gpu) {
  for (const Gpu& ours : gpus_) {
    const bool by_address = !ours.pci.empty() && !device.pci.empty();
    const bool by_uuid = !by_address && !ours.uuid.empty() && !device.uuid.empty();
    const bool same = by_address ? ours.pci == device.pci
                      : by_uuid  ? ours.uuid == device.uuid
                                 : ours.index == device.number;
    if (!same) continue;
    gpu = ours.index;
    State& state = states_[gpu];
    if (state.pci.empty()) state.pci = device.pci;
    return &state;
  }
  return nullptr;
}

void GpuHealth::count(State& state, const Sample& sample, sys::TimePoint now) {
  state.peak_temperature = std::max(state.peak_temperature, sample.temperature.value_or(0));
  state.peak_memory = std::max(state.peak_memory, sample.memory_used);
  if (sample.busy) {
    state.busy_sum += *sample.busy;
    ++state.busy_count;
  }
  if (!state.last) {
    state.errors_before = sample.memory_errors;
    return;
  }
  const double passed = sys::in_seconds(now - state.last_at);
  state.observed += passed;
  if (bad_reasons(sample) != 0) state.slowed += passed;
  for (const Reason& reason : kReasons) {
    if (holds(reason, sample.throttle)) state.throttled[reason.name] += passed;
  }
}

void GpuHealth::on(const Sample& sample, sys::TimePoint now) {
  int gpu = 0;
  State* state = state_of(sample.device, gpu);
  if (state == nullptr) return;
  count(*state, sample, now);
  state->last = sample;
  state->last_at = now;
}

void GpuHealth::on(const hardware::watch::Sampled&, sys::TimePoint now) {
  Json::Array changed;
  for (auto& [gpu, state] : states_) {
    if (!state.last) continue;
    const bool write = !state.written || noticeable(*state.written, *state.last) ||
                       (!state.lost && now - state.written_at >= kWrittenAnyway);
    if (!write) continue;
    changed.push_back(sample_json(gpu, *state.last, !state.written));
    state.written = state.last;
    state.written_at = now;
  }
  if (!changed.empty()) sinks_.record("gpu", {{"gpus", Json(std::move(changed))}});
}

void GpuHealth::add_fault(GpuFault fault) {
  if (faults_.size() == kMostFaults) faults_.erase(faults_.begin());
  faults_.push_back(std::move(fault));
}

/// A broken kernel may report an XID thousands of times: each GPU's first of a number is told.
void GpuHealth::on(const hardware::watch::Xid& xid, sys::TimePoint now) {
  int gpu = 0;
  State* state = state_of(xid.device, gpu);
  if (state == nullptr) return;
  const GpuFault fault{gpu, xid.device.pci, xid.number, now};
  add_fault(fault);
  if (++state->xids[xid.number] > 1) return;
  const hardware::Xid meaning = hardware::xid_meaning(xid.number);
  Json::Object fields{{"gpu", Json(gpu)}, {"pci", Json(fault.pci)}, {"xid", Json(xid.number)}};
  fields.push_back({"kind", Json(hardware::xid_kind_name(meaning.kind))});
  fields.push_back({"text", Json(sentence(fault))});
  sinks_.record("xid", fields);
  sinks_.warn(sentence(fault));
}

void GpuHealth::on(const hardware::watch::Lost& lost, sys::TimePoint now) {
  int gpu = 0;
  State* state = state_of(lost.device, gpu);
  if (state == nullptr || state->lost) return;
  state->lost = true;
  const GpuFault fault{gpu, lost.device.pci, GpuFault::kLost, now};
  add_fault(fault);
  sinks_.record("gpu_lost", {{"gpu", Json(gpu)}, {"pci", Json(fault.pci)}});
  constexpr int kOffTheBus = 79;  // which says the same
  if (!state->xids.contains(kOffTheBus)) sinks_.warn(sentence(fault));
}

void GpuHealth::on(const hardware::watch::CannotWatch& why, sys::TimePoint) {
  sinks_.warn("the GPUs' health is not watched: " + why.reason);
}

/// "GPU 3 was slowed down 42 % of the time (too hot), had 2 uncorrectable memory errors, reported
/// XID 63"
std::string GpuHealth::remark_of(int gpu, const State& state) {
  std::vector<std::string> parts;
  if (state.observed > 0 && state.slowed > kSlowedShare * state.observed) {
    std::vector<std::string> reasons;
    for (const Reason& reason : kReasons) {
      if (reason.bad && state.throttled.contains(reason.name)) reasons.emplace_back(reason.name);
    }
    parts.push_back(fmt::format("was slowed down {:.0f} % of the time ({})",
                                100 * state.slowed / state.observed, join(reasons, ", ")));
  }
  const std::int64_t errors = state.last ? state.last->memory_errors - state.errors_before : 0;
  if (errors > 0)
    parts.push_back(
        fmt::format("had {} uncorrectable memory error{}", errors, errors == 1 ? "" : "s"));
  std::vector<std::string> xids;
  xids.reserve(state.xids.size());
  for (const auto& [number, times] : state.xids)
    xids.push_back(times == 1 ? std::to_string(number)
                              : fmt::format("{} ({} times)", number, times));
  if (!xids.empty()) parts.push_back("reported XID " + join(xids, ", "));
  if (state.lost) parts.emplace_back("was lost");
  return parts.empty() ? "" : fmt::format("GPU {} {}", gpu, join(parts, ", "));
}

std::vector<std::string> GpuHealth::remarks() const {
  std::vector<std::string> all;
  for (const auto& [gpu, state] : states_) {
    if (std::string remark = remark_of(gpu, state); !remark.empty())
      all.push_back(std::move(remark));
  }
  if (all.empty()) return {};
  return {join(all, "; ")};
}

Json GpuHealth::summary_of(int gpu, const State& state) {
  Json::Object fields{{"gpu", Json(gpu)}, {"pci", Json(state.pci)}};
  if (state.last) {
    fields.push_back({"peak_temperature", Json(state.peak_temperature)});
    fields.push_back({"peak_memory_mib", Json(mebibytes(state.peak_memory))});
  }
  if (state.busy_count > 0) {
    const auto mean = static_cast<int>(std::lround(state.busy_sum / state.busy_count));
    fields.push_back({"mean_utilisation", Json(mean)});
  }
  Json::Object throttled, xids;
  for (const auto& [reason, seconds] : state.throttled)
    throttled.push_back({std::string(reason), Json(rounded(seconds))});
  if (!throttled.empty()) fields.push_back({"throttled", Json(std::move(throttled))});
  const std::int64_t errors = state.last ? state.last->memory_errors - state.errors_before : 0;
  if (errors > 0) fields.push_back({"memory_errors", Json(errors)});
  for (const auto& [number, times] : state.xids)
    xids.push_back({std::to_string(number), Json(times)});
  if (!xids.empty()) fields.push_back({"xids", Json(std::move(xids))});
  if (state.lost) fields.push_back({"lost", Json(true)});
  return Json(std::move(fields));
}

Json::Array GpuHealth::summary() const {
  Json::Array all;
  for (const auto& [gpu, state] : states_) all.push_back(summary_of(gpu, state));
  return all;
}

}  // namespace trainit::supervise
