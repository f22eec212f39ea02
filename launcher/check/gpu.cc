#include "check/gpu.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "hardware/describe.h"

namespace trainit::check {
namespace {

/// From NVIDIA's CUDA Toolkit release notes, "CUDA Toolkit and Minimum Required Driver Version for
/// CUDA Minor Version Compatibility", Linux: with this driver every 12.x runs, say.
struct Oldest {
  int cuda_major;
  std::string_view driver;
};
constexpr Oldest kOldest[] = {{11, "450.80.02"}, {12, "525.60.13"}, {13, "580.65.06"}};

/// The newest CUDA whose programs this driver runs; 0: none of the table.
int newest_cuda(std::string_view driver) {
  int newest = 0;
  for (const Oldest& row : kOldest) {
    if (is_at_least(driver, row.driver)) newest = row.cuda_major;
  }
  return newest;
}

void judge_count(const GpuFacts& facts, AreaReport& report) {
  const Gpus& gpus = facts.gpus;
  const auto expected = expected_gpus(facts.instance_type, gpus);
  if (expected && gpus.count() < *expected) {
    report.add(facts.required ? Severity::kError : Severity::kWarning,
               fmt::format("{} has {} GPU{}, and {} {} found", facts.instance_type, *expected,
                           *expected == 1 ? "" : "s",
                           gpus.count() == 0 ? "none" : std::to_string(gpus.count()),
                           gpus.count() > 1 ? "were" : "was"),
               "the job would be slower than it is paid for, or not start",
               "see that the container was given all of them (docker run --gpus all); else the "
               "machine is broken");
  } else if (facts.required && gpus.count() == 0) {
    report.add(Severity::kError, "--require-gpus is set, and this host has no GPU",
               "the job ends before its first worker",
               "give the container GPUs, or leave --require-gpus out");
  }
  if (gpus.count() > 0 && facts.workers > gpus.count()) {
    report.add(Severity::kWarning,
               fmt::format("{} workers share {} GPU{}", facts.workers, gpus.count(),
                           gpus.count() == 1 ? "" : "s"),
               "NCCL refuses two ranks on one GPU (\"Duplicate GPU detected\"), and they share its "
               "memory",
               "start one worker per GPU: --workers gpu");
  } else if (gpus.count() > facts.workers) {
    report.add(Severity::kNote,
               fmt::format("{} worker{} for {} GPUs", facts.workers, facts.workers == 1 ? "" : "s",
                           gpus.count()),
               "unless a worker uses several of them, the others idle",
               "--workers gpu starts one worker per GPU");
  }
}

void judge_driver(const GpuFacts& facts, AreaReport& report) {
  if (!facts.cuda || facts.gpus.count() == 0) return;
  const CudaNeed& need = *facts.cuda;
  // The driver's own word goes before the table: with NVIDIA's compatibility package an old one
  // runs more.
  const auto told = parse_number<int>(
      std::string_view(facts.gpus.cuda_version).substr(0, facts.gpus.cuda_version.find('.')));
  const std::string_view oldest = oldest_driver(need.major);
  if (told && *told >= need.major) return;
  const std::string& driver = facts.gpus.driver_version;
  const bool too_old = told || (!driver.empty() && !oldest.empty() && !is_at_least(driver, oldest));
  if (!too_old) return;
  report.add(
      need.sure ? Severity::kError : Severity::kWarning,
      fmt::format("the driver {}does not run CUDA {}, which {} needs",
                  driver.empty() ? "" : driver + " ", need.version, need.by),
      need.sure ? "CUDA fails when it is first used (\"driver version is insufficient\")"
                : "a program that is built with it fails when it first uses CUDA",
      oldest.empty()
          ? fmt::format("use a build for CUDA {}.x or a newer driver", told.value_or(0))
          : fmt::format("use a machine with driver {} or newer, or a build for {}", oldest,
                        newest_cuda(driver) > 0 ? fmt::format("CUDA {}.x", newest_cuda(driver))
                                                : "an older CUDA"));
}

void judge_nccl(const GpuFacts& facts, AreaReport& report) {
  for (const NcclLibrary& one : facts.nccl) {
    if (!one.cuda_major || !facts.cuda || !facts.cuda->sure || *one.cuda_major == facts.cuda->major)
      continue;
    report.add(Severity::kWarning,
               fmt::format("NCCL {} is built for CUDA {}, and {} for CUDA {}", one.version,
                           *one.cuda_major, facts.cuda->by, facts.cuda->version),
               "they need different CUDA libraries, and may fail when they are loaded together",
               fmt::format("install nvidia-nccl-cu{} instead", facts.cuda->major));
  }
  if (facts.nccl.size() > 1) {
    std::vector<std::string> all;
    all.reserve(facts.nccl.size());
    for (const NcclLibrary& one : facts.nccl)
      all.push_back(one.version.empty() ? one.path : fmt::format("{} ({})", one.path, one.version));
    report.add(Severity::kNote, fmt::format("there are {} NCCLs: {}", all.size(), join(all, ", ")),
               "which of them a program loads depends on LD_LIBRARY_PATH and on who loads first",
               "keep one, or let NCCL_DEBUG=VERSION show which one is used");
  }
  if (facts.nccl.empty() && !facts.python && facts.gpus.count() > 1) {
    report.add(Severity::kNote, "libnccl.so.2 is in none of the usual places",
               "a program that is not linked with NCCL statically needs it for several GPUs",
               "install libnccl2, or add its directory to LD_LIBRARY_PATH");
  }
}

std::string text_of(const GpuFacts& facts) {
  std::string text = hardware::describe(facts.gpus);
  const std::string& driver = facts.gpus.driver_version;
  if (!driver.empty()) {
    const int newest = newest_cuda(driver);
    text += newest > 0 ? fmt::format(", driver {} runs CUDA {}.x", driver, newest)
                       : fmt::format(", driver {}", driver);
  }
  if (facts.cuda) text += fmt::format(" · {} needs CUDA {}", facts.cuda->by, facts.cuda->version);
  if (!facts.nccl.empty() && !facts.nccl[0].version.empty())
    text += fmt::format(" · NCCL {}", facts.nccl[0].version);
  return text;
}

}  // namespace

bool is_at_least(std::string_view version, std::string_view wanted) {
  const auto have = split(version, '.'), want = split(wanted, '.');
  for (std::size_t index = 0; index < want.size(); ++index) {
    const int ours = index < have.size() ? parse_number<int>(have[index]).value_or(0) : 0;
    const int theirs = parse_number<int>(want[index]).value_or(0);
    if (ours != theirs) return ours > theirs;
  }
  return true;
}

std::string_view oldest_driver(int cuda_major) {
  const auto row = std::find_if(std::begin(kOldest), std::end(kOldest),
                                [&](const Oldest& one) { return one.cuda_major == cuda_major; });
  return row == std::end(kOldest) ? std::string_view() : row->driver;
}

AreaReport judge_gpu(const GpuFacts& facts) {
  AreaReport report{.area = "gpu", .text = text_of(facts), .findings = {}};
  judge_count(facts, report);
  judge_driver(facts, report);
  if (facts.torch_without_cuda && facts.gpus.count() > 0) {
    report.add(Severity::kWarning, "torch is built without CUDA",
               "torch.cuda.is_available() is false, and the GPUs are not used",
               "install a build of torch for CUDA");
  }
  judge_nccl(facts, report);
  for (const std::string& warning : facts.gpus.warnings) {
    report.add(Severity::kWarning, warning, "trainit starts as many workers as it finds GPUs",
               "see trainit gpus and docs/gpu.md, or give the number: --workers N");
  }
  return report;
}

}  // namespace trainit::check
