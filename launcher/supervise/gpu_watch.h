#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervise/gpu_health.h"
#include "sys/event_loop.h"
#include "sys/line_pipe.h"
#include "sys/process.h"
#include "sys/unique_fd.h"
#include "trainit/environment.h"
#include "trainit/result.h"

namespace trainit::supervise {

/// The GPU helper as a child of ours that watches the GPUs' health for as long as workers run.
/// Nothing of the job depends on it: NVIDIA's library may crash or hang in it.
class GpuWatch {
 public:
  struct Setup {
    Environment environment;  ///< where the dynamic loader finds the driver's library
    std::chrono::milliseconds interval;
    std::vector<Gpu> gpus;  ///< as the job sees them
    GpuHealth::Sinks sinks;
  };

  explicit GpuWatch(Setup setup)
      : environment_(setup.environment.to_strings()),
        interval_(setup.interval),
        health_(std::move(setup.gpus), std::move(setup.sinks)) {}

  /// Starts it, with nothing of what our caller left for the workers. `loop` outlives this, or
  /// `forget`. Error: the kernel has no memory, process or pipe for it.
  Result<void> start(sys::EventLoop& loop);
  /// -1: it does not run, or was reaped.
  pid_t pid() const { return pid_; }
  /// Ends it; it is still to be reaped. There is nothing that it would have to tidy up.
  void end();
  /// It was reaped, and ended in this way; `ended_by_us` also without `end`. What was wrong with
  /// it, when it was not we who ended it, and it has not said so itself.
  std::optional<std::string> forget(const sys::ExitStatus& status, bool ended_by_us);
  /// For how long it has been silent, when that is much too long.
  std::optional<sys::Duration> silence();
  /// How it ended, when it was not we who ended it.
  const std::optional<sys::ExitStatus>& own_end() const { return own_end_; }

  const GpuHealth& health() const { return health_; }

 private:
  static constexpr std::size_t kLongestLine = 1 << 16;

  void hear(std::string_view line);

  std::vector<std::string> environment_;
  std::chrono::milliseconds interval_;
  GpuHealth health_;
  pid_t pid_ = -1;
  bool ended_by_us_ = false;
  std::optional<sys::ExitStatus> own_end_;
  sys::TimePoint heard_at_;
  sys::UniqueFd exec_result_;
  sys::LinePipe lines_{kLongestLine};
};

}  // namespace trainit::supervise
