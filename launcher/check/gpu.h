#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "check/finding.h"
#include "check/python.h"
#include "check/subject.h"

/// Area "gpu": their number, and drivers, CUDA and NCCL that fit together.
namespace trainit::check {

/// The CUDA that the program was built for.
struct CudaNeed {
  int major = 0;
  std::string version;  ///< "12.4"
  std::string by;       ///< who needs it: "torch 2.4.1", a path
  bool sure = true;     ///< the program does; else it is the runtime that lies in the image
};

struct NcclLibrary {
  std::string path;
  std::string version;            ///< "2.21.5"; empty: not known
  std::optional<int> cuda_major;  ///< that it was built for, where its package tells
};

struct GpuFacts {
  Gpus gpus;
  std::string instance_type;
  bool required = false;  ///< --require-gpus
  int workers = 1;
  std::optional<CudaNeed> cuda;
  bool torch_without_cuda = false;
  bool python = false;  ///< a Python program, which brings its libraries with its packages
  std::vector<NcclLibrary> nccl;
};
GpuFacts gpu_facts(const Subject& subject, const PythonFacts& python);

AreaReport judge_gpu(const GpuFacts& facts);

/// Whether "550.54.15" is at least "525.60.13".
bool is_at_least(std::string_view version, std::string_view wanted);

/// The oldest driver that runs programs for this CUDA; empty: not in the table.
std::string_view oldest_driver(int cuda_major);

}  // namespace trainit::check
