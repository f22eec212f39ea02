#pragma once

#include <sched.h>

#include <optional>
#include <string>
#include <vector>

#include "plan/launch_plan.h"

/// What workers get beside their ranks: defaults that the user's own settings win over, and the
/// share of the machine that belongs to one worker.
namespace trainit {

/// Sets what distributed workers want and nobody has set (OMP_NUM_THREADS, NCCL_SOCKET_IFNAME, …),
/// and returns "NAME=value" for each, for the log.
std::vector<std::string> set_defaults(Environment& environment, const PlanInput& input, bool ranks);

/// The name of the file in which the worker of this rank may leave a torch-elastic error.
std::string error_file(int rank);

/// Leaves the worker the one GPU of its local rank, in CUDA_VISIBLE_DEVICES. With fewer GPUs than
/// workers they are dealt out in turn.
void isolate_gpu(Environment& environment, const Gpus& gpus, int local_rank,
                 const Environment& inherited);

/// The CPUs of the NUMA node that the GPU of this local rank hangs on; nothing when that is
/// unknown.
std::optional<cpu_set_t> cpus_near_gpu(const Gpus& gpus, int local_rank);

}  // namespace trainit
