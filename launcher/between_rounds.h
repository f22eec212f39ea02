#pragma once

#include <functional>

#include "base/log.h"
#include "preparation.h"
#include "sys/event_loop.h"

/// What a job waits for before its workers are started once more.
namespace trainit {

/// Runs the loop until `done`, which is asked again and again, at most for so long. False:
/// `given_up` came first.
bool wait_in(sys::EventLoop& loop, sys::Duration most, const std::function<bool()>& done,
             const std::function<bool()>& given_up);

/// Until no GPU of this job has more than 512 MiB in use any more, which the driver takes back some
/// time after a process is gone; for --gpu-memory-wait at most, and then the log says which has.
/// Where nobody can be asked nothing is waited for.
void wait_for_gpu_memory(sys::EventLoop& loop, const JobContext& context, const Gpus& gpus,
                         const Logger& log, const std::function<bool()>& given_up);

}  // namespace trainit
