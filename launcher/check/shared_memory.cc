#include "check/shared_memory.h"

#include <fmt/core.h>

#include "base/text.h"
#include "hardware/describe.h"

namespace trainit::check {
namespace {

constexpr std::uint64_t kLittle = 16 << 20;

}  // namespace

AreaReport judge_shared_memory(const SharedMemoryFacts& facts) {
  AreaReport report{.area = "shm", .text = {}, .findings = {}};
  const Severity severity =
      facts.workers > 1 || facts.loads_data ? Severity::kWarning : Severity::kNote;
  const std::string why = "PyTorch's data loaders and NCCL keep their buffers there";
  const std::string raise =
      "with Docker raise it by --shm-size=8g or --ipc=host, on Kubernetes mount an emptyDir with "
      "\"medium: Memory\"";
  if (!facts.there) {
    report.text = "there is no /dev/shm";
    report.add(severity, report.text, why, "mount a tmpfs there");
    return report;
  }
  report.text = facts.size == 0 ? "/dev/shm has no limit of its own"
                                : fmt::format("/dev/shm {}, {} free", human_bytes(facts.size),
                                              human_bytes(facts.free));
  if (!facts.write_error.empty()) {
    report.add(facts.workers > 1 ? Severity::kError : severity,
               "no file can be made in /dev/shm: " + facts.write_error, why,
               "mount a tmpfs there that everybody may write to (mode 1777)");
  } else if (facts.size > 0 && facts.size <= hardware::kDockersSharedMemory) {
    report.add(severity, fmt::format("/dev/shm has only {}", human_bytes(facts.size)), why, raise);
  } else if (facts.size > 0 && facts.free < kLittle) {
    report.add(
        severity,
        fmt::format("/dev/shm has {} of {} left", human_bytes(facts.free), human_bytes(facts.size)),
        why, "remove what other processes left there, or make it larger");
  }
  return report;
}

}  // namespace trainit::check
