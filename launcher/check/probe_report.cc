#include "check/probe_report.h"

#include <fmt/core.h>

#include "base/text.h"
#include "base/utf8.h"
#include "trainit/json.h"

namespace trainit::check {
namespace {

constexpr std::size_t kLongestText = 300;
constexpr std::int64_t kMostGpus = 1024;
constexpr std::int64_t kMost = std::int64_t{1} << 60;

/// Reads the members of one line; `well` is false once one was not there, or not as it should be.
struct LineReader {
  const Json& line;
  bool well = true;

  std::string text(std::string_view name) {
    const Json* member = line.find(name);
    if (member == nullptr || member->string() == nullptr) return well = false, std::string();
    return std::string(utf8::one_line(utf8::truncate(*member->string(), kLongestText)));
  }

  std::int64_t number(std::string_view name, std::int64_t most = kMost) {
    const Json* member = line.find(name);
    const auto number = member == nullptr ? std::nullopt : member->to_int64();
    if (!number || *number < 0 || *number > most) return well = false, 0;
    return *number;
  }

  std::optional<int> gpu(std::string_view name) {
    if (line.find(name) == nullptr) return std::nullopt;
    return static_cast<int>(number(name, kMostGpus));
  }

  ProbeStep step(std::string_view kind) {
    ProbeStep step{text(kind), gpu("gpu"), gpu("to"), 0};
    step.began = static_cast<double>(number("at")) / 1000;
    if (step.to && !step.gpu) well = false;
    return step;
  }
};

ProbeResult result_of(LineReader& reader) {
  ProbeResult result;
  result.step = reader.step("result");
  const bool products = reader.line.find("operations") != nullptr;
  const auto amount = static_cast<double>(reader.number(products ? "operations" : "bytes"));
  const auto nanoseconds = reader.number("ns");
  result.per_second = nanoseconds == 0 ? 0 : amount * 1e9 / static_cast<double>(nanoseconds);
  result.wrong = static_cast<std::uint64_t>(reader.number("wrong"));
  result.checked = static_cast<std::uint64_t>(reader.number("checked"));
  return result;
}

ProbeFailure failure_of(LineReader& reader) {
  ProbeFailure failure;
  failure.step = reader.step("failure");
  failure.call = reader.text("call");
  failure.code = static_cast<int>(reader.number("code", 1 << 20));
  failure.text = failure.call;
  const std::string name = reader.text("name"), message = reader.text("message");
  if (!name.empty()) failure.text += ": " + name;
  if (failure.code != 0) failure.text += fmt::format(" ({})", failure.code);
  if (!message.empty()) failure.text += ": " + message;
  return failure;
}

ProbedGpu gpu_of(LineReader& reader) {
  ProbedGpu gpu;
  gpu.index = static_cast<int>(reader.number("device", kMostGpus));
  gpu.name = reader.text("name");
  gpu.free = static_cast<std::uint64_t>(reader.number("free"));
  gpu.total = static_cast<std::uint64_t>(reader.number("total"));
  return gpu;
}

/// 22809 → "2.28.9", and 2708 → "2.7.8", as NCCL numbered itself before 2.9.
std::string nccl_version(std::int64_t number) {
  const int thousand = number < 10000 ? 1000 : 10000;
  return fmt::format("{}.{}.{}", number / thousand, number % thousand / 100, number % 100);
}

/// Takes over what the line says. False: it is none of the probe's.
bool take(const Json& line, ProbeReport& report) {
  LineReader reader{line};
  const double at = static_cast<double>(reader.number("at")) / 1000;
  if (line.find("step") != nullptr) {
    const ProbeStep step = reader.step("step");
    if (reader.well) report.open = step;
  } else if (line.find("result") != nullptr) {
    const ProbeResult result = result_of(reader);
    if (reader.well) report.results.push_back(result), report.open.reset();
  } else if (line.find("failure") != nullptr) {
    const ProbeFailure failure = failure_of(reader);
    if (reader.well) report.failures.push_back(failure), report.open.reset();
  } else if (line.find("device") != nullptr) {
    const ProbedGpu gpu = gpu_of(reader);
    if (reader.well) report.gpus.push_back(gpu), report.open.reset();
  } else if (line.find("nccl") != nullptr) {
    const std::int64_t number = reader.number("nccl", 1 << 20);
    if (reader.well) report.nccl_version = nccl_version(number);
  } else if (line.find("end") != nullptr) {
    report.complete = reader.well;
  } else if (line.find("probe") != nullptr) {
    report.open.reset();
  } else {
    reader.well = false;
  }
  if (reader.well) report.seconds = at;
  return reader.well;
}

}  // namespace

std::string ProbeStep::text() const {
  if (!gpu) return name;
  if (!to) return fmt::format("{} of GPU {}", name, *gpu);
  return *gpu == *to ? fmt::format("{} within GPU {}", name, *gpu)
                     : fmt::format("{} from GPU {} to GPU {}", name, *gpu, *to);
}

ProbeReport parse_probe_report(std::string_view text) {
  ProbeReport report;
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    const Result<Json> read = Json::parse(line);
    const bool taken = read && read->object() != nullptr && take(*read, report);
    if (!taken && report.garbage.empty())
      report.garbage = utf8::one_line(utf8::truncate(utf8::sanitize(line), kLongestText));
  }
  return report;
}

}  // namespace trainit::check
