#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/log.h"
#include "logs/relay.h"
#include "supervise/family.h"
#include "supervise/gpu_watch.h"
#include "sys/event_loop.h"
#include "sys/exit_status.h"

namespace trainit::supervise {

/// When the watch over the GPUs begins and when it ends. It ends with the last worker; after a
/// failure that may be a GPU's it goes on for a moment, because the driver may tell of that later.
/// Where nobody watches nothing here does anything.
class GpuGuard {
 public:
  /// All of them outlive this.
  struct Parts {
    GpuWatch* watch;  ///< null: nobody watches the GPUs
    sys::EventLoop& loop;
    const logs::Relay& relay;
    Family& family;
    const Logger& log;
  };
  /// `gone`: the watch was told to end and has had its time to go; look whether the job is over.
  GpuGuard(Parts parts, std::function<void()> gone) : parts_(parts), gone_(std::move(gone)) {}
  GpuGuard(const GpuGuard&) = delete;
  GpuGuard& operator=(const GpuGuard&) = delete;
  ~GpuGuard() { cancel_timers(); }

  void start();
  /// Whether this is its process, which runs or is to be reaped.
  bool is(pid_t process) const { return parts_.watch != nullptr && parts_.watch->pid() == process; }
  /// Its process was reaped. `with_all`: what was left of the job has been told to end.
  void on_ended(const sys::ExitStatus& status, bool with_all);

  /// A worker failed that nobody had told to stop.
  void worker_failed(int rank);
  /// The last worker is gone. `in_haste`: the job was asked to stop.
  void workers_ended(bool in_haste);
  /// Ends the watch as soon as its GPU's error has come, or will not come.
  void look();
  /// Ends the watch, if it goes on for such an error only.
  void wait_no_longer() {
    if (fault_timer_) end();
  }
  /// The job is over: as `wait_no_longer`, and nobody is called any more.
  void leave();
  /// Whether the end of the job waits for it.
  bool is_awaited() const { return fault_timer_ || gone_timer_; }

 private:
  void end();
  bool may_be_a_gpus_fault() const;
  void cancel_timers();

  Parts parts_;
  std::function<void()> gone_;
  std::optional<sys::EventLoop::TimerId> fault_timer_, gone_timer_;
  std::vector<int> failed_ranks_;  ///< before the workers were told to stop
  sys::TimePoint fault_until_;     ///< until then a GPU may tell of what ended them
};

}  // namespace trainit::supervise
