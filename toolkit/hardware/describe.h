#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trainit/hardware.h"
#include "trainit/json.h"

namespace trainit::hardware {

/// {"count": 1, "source": "libcuda", "driver_version": "580.65.06", "cuda_version": "13.0",
///  "devices": [{"index": 0, "name": "NVIDIA L4", "uuid": "GPU-…", "pci": "0000:00:1e.0",
///  "memory": 23034527744, "compute_capability": "8.9", "mig": false, "numa_node": 0}],
///  "warnings": []}; what is unknown is null (memory in bytes).
Json to_json(const Gpus& gpus);

/// A table for people, a line a GPU, then who answered; ends with a line end.
std::string to_table(const Gpus& gpus);

/// "4 × NVIDIA A10G 22 GB (CUDA driver 12.4, by libcuda)", "no GPU".
std::string describe(const Gpus& gpus);

/// One line for the log: "4 × NVIDIA A10G 22 GB (CUDA driver 12.4, by libcuda) · 46.5 of 48 cpus ·
/// 180 GB memory · /dev/shm 32.0 GB".
std::string describe(const Hardware& hardware);

/// What a person would want to know before the job fails because of it, each one sentence: the
/// warnings of the search for GPUs, fewer GPUs than the instance type has, a small /dev/shm, a low
/// limit of open files. `instance_type` may be empty or unknown.
std::vector<std::string> warnings(const Hardware& hardware, std::string_view instance_type);

/// What Docker gives to /dev/shm when nobody asks for more; so much is little for training.
inline constexpr std::uint64_t kDockersSharedMemory = 64 << 20;

/// How many files a worker of a host with so many GPUs may want to open.
std::uint64_t open_files_wanted(int gpus);

}  // namespace trainit::hardware
