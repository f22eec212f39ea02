#include <algorithm>

#include "diagnose/evidence.h"

namespace trainit::diagnose {
namespace {

using namespace std::chrono_literals;
using hardware::GpuFault;

constexpr auto kLate = 2s, kRecently = 60s;

bool uses(const Evidence& evidence, const GpuFault& fault) {
  return std::find(evidence.gpus.begin(), evidence.gpus.end(), fault.gpu) != evidence.gpus.end();
}

bool error_speaks_of_gpu(const Evidence& evidence) {
  if (!evidence.error) return false;
  // What is missing is told by somebody who waits for it.
  return evidence.error->communication || speaks_of_gpu(evidence.error->summary) ||
         speaks_of_gpu(evidence.error->detail);
}

bool explains(const GpuFault& fault, const Evidence& evidence) {
  if (hardware::kind_of(fault) != hardware::XidKind::kHardware || !uses(evidence, fault))
    return false;
  // One that we stopped was well until then for all that we know, unless its GPU was not.
  const bool stopped = evidence.stopped_by_us && evidence.told_at != sys::TimePoint();
  const sys::TimePoint last = stopped ? evidence.told_at : evidence.exited_at + kLate;
  const bool silent = stopped || error_speaks_of_gpu(evidence);
  const sys::TimePoint first = evidence.exited_at - (silent ? evidence.after : kRecently);
  return fault.at >= std::max(first, evidence.exited_at - evidence.after) && fault.at <= last;
}

}  // namespace

bool speaks_of_gpu(std::string_view message) {
  constexpr std::string_view kWords[] = {"CUDA",  "cuda",   "Cuda",   "NCCL", "nccl", "CUDNN",
                                         "cuDNN", "CUBLAS", "NVLink", "NVML", "GPU"};
  return std::any_of(std::begin(kWords), std::end(kWords), [&](std::string_view word) {
    return message.find(word) != std::string_view::npos;
  });
}

void attribute_gpu_faults(std::span<Evidence> gathered, std::span<const GpuFault> faults) {
  for (Evidence& evidence : gathered) {
    if (!evidence.spawn_error && evidence.status.success()) continue;
    for (const GpuFault& fault : faults) {
      if (!explains(fault, evidence)) continue;
      const bool better = !evidence.gpu_fault || (hardware::may_be_anothers(*evidence.gpu_fault) &&
                                                  !hardware::may_be_anothers(fault));
      if (better) evidence.gpu_fault = fault;
    }
  }
}

}  // namespace trainit::diagnose
