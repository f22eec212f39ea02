#include "check/deep.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "check/expected_speeds.h"

namespace trainit::check {
namespace {

/// Codes of CUDA, with which no GPU is broken.
constexpr int kOutOfMemory = 2, kNoBinaryForGpu = 209, kInvalidPtx = 218, kUnsupportedPtx = 222;

constexpr char kOthersWait[] = "its rank is slow, and the others wait for it";
constexpr char kReplace[] =
    "start the job again, which gets another machine, and report this one to whoever runs it";

std::string shown(double per_second, bool operations = false) {
  if (operations) return fmt::format("{:.1f} TFLOPS", per_second / 1e12);
  return per_second >= 1e12 ? fmt::format("{:.2f} TB/s", per_second / 1e12)
                            : fmt::format("{:.0f} GB/s", per_second / 1e9);
}

bool is_product(const ProbeStep& step) { return step.name.ends_with("product"); }

bool is_of_gpu(const ProbeStep& step) { return step.gpu && (!step.to || step.to == step.gpu); }

std::vector<const ProbeResult*> results_of(const ProbeReport& report, std::string_view step) {
  std::vector<const ProbeResult*> found;
  for (const ProbeResult& result : report.results) {
    if (result.step.name == step) found.push_back(&result);
  }
  return found;
}

std::vector<double> speeds_of(const ProbeReport& report, std::string_view step) {
  std::vector<double> speeds;
  for (const ProbeResult* result : results_of(report, step)) speeds.push_back(result->per_second);
  return speeds;
}

/// "GPU 3", "GPUs 0 and 1", "the GPUs together"
std::string who(const ProbeStep& step) {
  if (!step.gpu) return "the GPUs together";
  return is_of_gpu(step) ? fmt::format("GPU {}", *step.gpu)
                         : fmt::format("GPUs {} and {}", *step.gpu, *step.to);
}

/// "product", or "copy from GPU 0 to GPU 1", beside what `who` says.
std::string step_of(const ProbeStep& step) { return is_of_gpu(step) ? step.name : step.text(); }

void judge_results(const ProbeReport& report, AreaReport& area) {
  for (const ProbeResult& result : report.results) {
    if (result.wrong == 0) continue;
    area.add(Severity::kError,
             fmt::format("{} give{} wrong results ({}: {} of {} numbers)", who(result.step),
                         is_of_gpu(result.step) ? "s" : "", step_of(result.step), result.wrong,
                         result.checked),
             "the job would learn from wrong numbers, and nothing else would tell", kReplace);
  }
}

/// Whether it says that the GPU is broken, and not that it could not be tried.
bool is_of_hardware(const ProbeFailure& failure) {
  if (!failure.step.gpu || failure.code == 0) return false;
  const int code = failure.code;
  return code != kOutOfMemory && code != kNoBinaryForGpu && code != kInvalidPtx &&
         code != kUnsupportedPtx;
}

void judge_nccl(const DeepFacts& facts, const ProbeFailure& failure, AreaReport& area) {
  if (failure.call == "dlopen") {
    area.add(facts.gpus > 1 ? Severity::kWarning : Severity::kNote,
             fmt::format("NCCL was not tried: {}", failure.text),
             "how fast the GPUs work together is not known",
             "install libnccl2, or add its directory to LD_LIBRARY_PATH; a program that is linked "
             "with NCCL statically does not need it");
  } else {
    area.add(Severity::kWarning, fmt::format("NCCL could not be tried: {}", failure.text),
             "workers that use NCCL may fail the same way",
             "NCCL_DEBUG=INFO trainit-gpu-probe shows what it does");
  }
}

void judge_failures(const DeepFacts& facts, AreaReport& area) {
  for (const ProbeFailure& failure : facts.report.failures) {
    if (failure.step.name == "all-reduce") {
      judge_nccl(facts, failure, area);
    } else if (is_of_hardware(failure)) {
      area.add(
          Severity::kError,
          fmt::format("{} failed ({}: {})", who(failure.step), step_of(failure.step), failure.text),
          "a worker that uses it fails the same way", kReplace);
    } else {
      area.add(Severity::kWarning,
               fmt::format("not all could be tried: {}: {}", failure.step.text(), failure.text),
               "what the GPUs can do is known in part only",
               "trainit-gpu-probe shows by itself what it does");
    }
  }
}

/// Of what runs on a GPU: what is before that may wait for something else.
void judge_hang(const DeepFacts& facts, AreaReport& area) {
  const double deadline = static_cast<double>(facts.deadline.count()) / 1000;
  const auto& open = facts.report.open;
  const double lasted = open ? deadline - open->began : 0;
  const bool hangs =
      open && open->name != "driver" && open->name != "start" && lasted > deadline / 2;
  const std::string whose = open && open->gpu ? who(*open) : "trainit-gpu-probe";
  std::string what =
      fmt::format("{} did not come to an end within {}", whose, human_seconds(deadline));
  if (open) what += fmt::format(" ({} for the last {})", step_of(*open), human_seconds(lasted));
  area.add(hangs ? Severity::kError : Severity::kWarning, std::move(what),
           hangs ? "a step takes seconds, so the job would hang there as well"
                 : "what the GPUs can do is known in part only",
           hangs ? kReplace : "give it more time: --deep-deadline");
}

/// What is not there cannot fail, and nothing else would tell of it.
void judge_unseen(const DeepFacts& facts, AreaReport& area) {
  const auto seen = static_cast<int>(facts.report.gpus.size());
  if (!facts.report.failures.empty() || seen >= facts.gpus) return;
  area.add(Severity::kWarning,
           fmt::format("CUDA shows trainit-gpu-probe {} of {} GPUs", seen, facts.gpus),
           "what the others can do is not known, and workers may not see them either",
           "see whether trainit gpus, trainit-gpu-probe and nvidia-smi agree");
}

void judge_end(const DeepFacts& facts, AreaReport& area) {
  const ProbeReport& report = facts.report;
  if (!facts.in_time) return judge_hang(facts, area);
  std::string what;
  if (!facts.trouble.empty()) {
    what = facts.trouble;
  } else if (!report.garbage.empty()) {
    what = fmt::format("{} says what is no answer: {}", facts.program, report.garbage);
  } else if (!report.complete) {
    what = facts.program + " ended before it had said all";
  }
  if (what.empty()) return judge_unseen(facts, area);
  if (report.open) what += fmt::format(" (at the step {})", report.open->text());
  area.add(Severity::kWarning, what, "what the GPUs can do is known in part only",
           "run trainit-gpu-probe by itself to see more; it has to be of this version of trainit");
}

void judge_memory_in_use(const ProbeReport& report, AreaReport& area) {
  for (const ProbedGpu& gpu : report.gpus) {
    const std::uint64_t used = gpu.total - std::min(gpu.free, gpu.total);
    if (used <= gpu.total / 10) continue;
    area.add(Severity::kWarning,
             fmt::format("{} of {} of GPU {}'s memory are in use before the job starts",
                         human_bytes(used), human_bytes(gpu.total), gpu.index),
             "another process uses this GPU, and the job has less memory and less time of it",
             "nvidia-smi on the host shows which one");
  }
}

/// "the memory of GPU 3 moves 300 GB/s, 9 % of what a NVIDIA H100 80GB HBM3 can"; false: it is not
/// known what it can, or it does.
bool judge_memory(const ProbeReport& report, const ProbeResult& result, AreaReport& area) {
  const auto gpu = std::find_if(report.gpus.begin(), report.gpus.end(),
                                [&](const ProbedGpu& one) { return one.index == result.step.gpu; });
  if (result.step.name != "memory" || gpu == report.gpus.end()) return false;
  const auto expected = expected_memory_speed(gpu->name);
  if (!expected || result.per_second >= kLeastMemoryShare * *expected) return false;
  area.add(Severity::kWarning,
           fmt::format("the memory of {} moves {}, {:.0f} % of what a {} can", who(result.step),
                       shown(result.per_second), 100 * result.per_second / *expected, gpu->name),
           kOthersWait, kReplace);
  return true;
}

/// Each GPU's speed at this step beside the middle one.
void judge_speeds(const ProbeReport& report, std::string_view step, AreaReport& area) {
  std::vector<double> speeds = speeds_of(report, step);
  if (speeds.empty()) return;
  std::sort(speeds.begin(), speeds.end());
  const double middle = speeds[speeds.size() / 2];
  for (const ProbeResult* result : results_of(report, step)) {
    if (judge_memory(report, *result, area) || result->per_second >= kLeastPeerShare * middle)
      continue;
    const bool product = is_product(result->step);
    area.add(Severity::kWarning,
             fmt::format("{} is slower than the others ({}: {} beside {})", who(result->step), step,
                         shown(result->per_second, product), shown(middle, product)),
             kOthersWait,
             "see with nvidia-smi -q -d PERFORMANCE whether it is hot; else start the job again, "
             "which gets another machine");
  }
}

void judge_links(const DeepFacts& facts, AreaReport& area) {
  const auto link = expected_link_speed(facts.instance_type);
  if (!link) return;
  for (const ProbeResult* result : results_of(facts.report, "copy")) {
    if (is_of_gpu(result->step) || !link->switched) continue;
    if (result->per_second >= kLeastCopyShare * link->bytes) continue;
    area.add(Severity::kWarning,
             fmt::format("the {} moves {}, and NVLink of {} {}", result->step.text(),
                         shown(result->per_second), facts.instance_type, shown(link->bytes)),
             "what these GPUs send each other makes all ranks wait", kReplace);
  }
  for (const ProbeResult* result : results_of(facts.report, "all-reduce")) {
    const int gpus = static_cast<int>(facts.report.gpus.size());
    const double bus = bus_speed(result->per_second, gpus);
    if (gpus < 2 || bus >= kLeastSumShare * link->bytes) continue;
    area.add(
        Severity::kWarning,
        fmt::format("the all-reduce has a bus bandwidth of {}, {:.0f} % of NVLink's {} of {}",
                    shown(bus), 100 * bus / link->bytes, shown(link->bytes), facts.instance_type),
        "adding up gradients takes as many times longer, at every step of the training",
        "see that no variable such as NCCL_P2P_DISABLE keeps NCCL from NVLink; else start the "
        "job again, which gets another machine");
  }
}

/// "memory 2.95–3.02 TB/s"
void describe(std::string_view what, std::vector<double> speeds, bool operations,
              std::vector<std::string>& parts) {
  if (speeds.empty()) return;
  const auto [least, most] = std::minmax_element(speeds.begin(), speeds.end());
  const std::string low = shown(*least, operations), high = shown(*most, operations);
  parts.push_back(low == high ? fmt::format("{} {}", what, high)
                              : fmt::format("{} {} to {}", what, low, high));
}

std::string sum_text(const ProbeReport& report) {
  const std::string nccl =
      report.nccl_version.empty() ? "NCCL" : fmt::format("NCCL {}", report.nccl_version);
  const auto sums = results_of(report, "all-reduce");
  if (sums.empty()) return {};
  const int gpus = static_cast<int>(report.gpus.size());
  if (gpus < 2) return fmt::format("{} works; one GPU has no bus to measure", nccl);
  return fmt::format("all-reduce {} on the bus ({})", shown(bus_speed(sums[0]->per_second, gpus)),
                     nccl);
}

std::string text_of(const DeepFacts& facts) {
  const ProbeReport& report = facts.report;
  std::vector<std::string> parts;
  parts.push_back(fmt::format("{} of {} GPU{} tried", report.gpus.size(), facts.gpus,
                              facts.gpus == 1 ? "" : "s"));
  describe("memory", speeds_of(report, "memory"), false, parts);
  describe("product", speeds_of(report, "product"), true, parts);
  describe("tensor product", speeds_of(report, "tensor product"), true, parts);
  std::vector<double> within, between;
  for (const ProbeResult* result : results_of(report, "copy"))
    (is_of_gpu(result->step) ? within : between).push_back(result->per_second);
  describe("copies within a GPU", within, false, parts);
  describe("between GPUs", between, false, parts);
  const std::string sum = sum_text(report);
  if (!sum.empty()) parts.push_back(sum);
  parts.push_back(human_seconds(report.seconds));
  return join(parts, " · ");
}

}  // namespace

double bus_speed(double bytes_per_second, int gpus) {
  return gpus < 2 ? 0 : bytes_per_second * 2 * (gpus - 1) / gpus;
}

AreaReport judge_deep(const DeepFacts& facts) {
  if (facts.gpus == 0) return AreaReport::skip("deep", "there is no GPU");
  if (facts.program.empty()) {
    AreaReport area = AreaReport::skip("deep", "trainit-gpu-probe is not there");
    area.add(Severity::kWarning,
             "trainit-gpu-probe is not there (looked in " + join(facts.looked_in, ", ") + ")",
             "what the GPUs can do, and whether they come to right results, is not known",
             "copy it from where trainit comes from, and put it beside trainit");
    return area;
  }
  AreaReport area{.area = "deep", .text = text_of(facts), .findings = {}};
  judge_results(facts.report, area);
  judge_failures(facts, area);
  judge_end(facts, area);
  judge_memory_in_use(facts.report, area);
  for (const char* step : {"memory", "product", "tensor product"})
    judge_speeds(facts.report, step, area);
  judge_links(facts, area);
  return area;
}

}  // namespace trainit::check
