#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What trainit-gpu-probe says (toolkit/hardware/gpu_probe/report.h), read.
namespace trainit::check {

/// One thing that it tries: of one GPU, of two, or of all of them.
struct ProbeStep {
  std::string name;  ///< "driver", "start", "memory", "product", "tensor product", "copy",
                     ///< "all-reduce"
  std::optional<int> gpu, to;
  double began = 0;  ///< seconds since the probe began

  /// "memory of GPU 3", "copy from GPU 0 to GPU 1", "all-reduce"
  std::string text() const;
};

struct ProbeResult {
  ProbeStep step;
  double per_second = 0;  ///< bytes, or operations of products; of an all-reduce those of one GPU
  std::uint64_t wrong = 0, checked = 0;  ///< numbers
};

/// A step that the GPU, the driver or NCCL refused.
struct ProbeFailure {
  ProbeStep step;
  std::string call;  ///< "cuMemAlloc"
  int code = 0;      ///< of CUDA or NCCL; 0: none of theirs
  std::string text;  ///< "cuMemAlloc: CUDA_ERROR_ECC_UNCORRECTABLE (214)"
};

struct ProbedGpu {
  int index = 0;
  std::string name;
  std::uint64_t free = 0, total = 0;  ///< bytes of memory, before anything was tried
};

struct ProbeReport {
  std::vector<ProbedGpu> gpus;
  std::vector<ProbeResult> results;
  std::vector<ProbeFailure> failures;
  std::optional<ProbeStep> open;  ///< the last one, when it came to neither
  std::string nccl_version;       ///< "2.28.9"; empty: it was not loaded
  double seconds = 0;             ///< until its last line
  bool complete = false;          ///< it came to its end
  std::string garbage;            ///< the first line that is none of its; empty: there is none
};

/// Texts are made to fit on a line. A number that no GPU can have makes a line garbage.
ProbeReport parse_probe_report(std::string_view text);

}  // namespace trainit::check
