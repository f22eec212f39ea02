#pragma once

#include <functional>
#include <optional>

#include "report/record.h"
#include "supervise/family.h"
#include "supervise/store_process.h"
#include "sys/event_loop.h"
#include "sys/exit_status.h"

namespace trainit::supervise {

/// When the rendezvous store of a round begins and when it ends: with the first connection, because
/// a job whose workers never meet needs no such process, and when nobody needs it any more. Where
/// the workers meet without us nothing here does anything.
class StoreGuard {
 public:
  /// All of them outlive this.
  struct Parts {
    StoreProcess* store;  ///< null: the workers meet without us
    sys::EventLoop& loop;
    report::RunRecord& record;
    Family& family;
    bool last_round;  ///< false: the next one's store begins at the same port
  };
  struct Callbacks {
    StoreProcess::Callbacks of_store;
    /// The store was told to end and has had its time to go; look whether the job is over.
    std::function<void()> gone;
    /// The kernel has had no process or pipe for it for seconds: it is as one that ended like this.
    std::function<void(const sys::ExitStatus& status)> unstarted;
  };
  StoreGuard(Parts parts, Callbacks callbacks) : parts_(parts), callbacks_(std::move(callbacks)) {}
  StoreGuard(const StoreGuard&) = delete;
  StoreGuard& operator=(const StoreGuard&) = delete;
  ~StoreGuard();

  /// From now on the first connection finds a store: it waits in the kernel until there is one.
  /// Error: the kernel does not let us wait for it.
  Result<void> open();
  /// Whether this is its process, which runs or is to be reaped.
  bool is(pid_t process) const { return parts_.store != nullptr && parts_.store->pid() == process; }
  /// Nobody needs it any more.
  void retire();
  /// Whether it was told to end and is still to go.
  bool is_awaited() const { return gone_timer_.has_value(); }
  void wait_no_longer();
  /// Its process was reaped. True: it ended by itself, which is in the record then.
  bool on_ended(const sys::ExitStatus& status);

 private:
  void start();
  void try_again(const Error& why);
  void leave_listener();

  Parts parts_;
  Callbacks callbacks_;
  int tries_ = 0;
  bool died_first_ = false;  ///< before it was told to end
  std::optional<sys::EventLoop::TimerId> start_timer_, gone_timer_;
};

}  // namespace trainit::supervise
