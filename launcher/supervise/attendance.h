#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <vector>

#include "base/log.h"
#include "coordination/host_ranks.h"
#include "plan/launch_plan.h"
#include "report/record.h"
#include "supervise/rendezvous.h"
#include "sys/address.h"
#include "sys/event_loop.h"

namespace trainit::supervise {

/// Says in the log and in the record which workers are late to init_process_group, and that they
/// have come then. Our store tells who has come. With several hosts the leader has that, and speaks
/// for all workers of the job. Whose a process is only its own host can tell, because the same pid
/// means another process on each: the leader asks the host that the process has come from. Each of
/// the others names its own late workers when the leader finds that some are late.
class Attendance {
 public:
  /// The other hosts; all empty: there are none.
  struct Peers {
    /// On the leader: all of them, with this one; empty elsewhere.
    std::vector<coordination::HostRanks> hosts;
    /// On the leader: a process has come from this address, or without one from this machine, and
    /// may be another host's.
    std::function<void(const std::optional<sys::Address>& from, pid_t process)> joined;
    /// On the leader: some workers have not come in this time, and it is known which.
    std::function<void(sys::Duration after)> late;
    /// Elsewhere: a worker of this host has come.
    std::function<void(int rank)> came;
  };
  struct Parts {
    sys::EventLoop& loop;
    report::RunRecord& record;
    const Logger& log;
    bool has_store;  ///< that all workers, of all hosts, come to is ours
    /// The worker that a process is, or that has started it, by its local rank; -1: none of ours.
    std::function<int(pid_t process)> worker_behind;
    std::function<bool()> is_stopping;  ///< the workers, so that nobody is missed any more
    Peers peers;
  };

  Attendance(const LaunchPlan& plan, Parts parts);
  ~Attendance() { wait_no_longer(); }
  Attendance(const Attendance&) = delete;
  Attendance& operator=(const Attendance&) = delete;

  /// The workers are started.
  void begin();
  /// Nobody is late any more.
  void wait_no_longer();
  /// No more will come: what is known is recorded.
  void end();

  // What our store tells.
  void joined(const std::optional<sys::Address>& from, pid_t process);
  void joined_nameless(int at_once);
  // What other hosts tell: the leader two things, and the others it one.
  void look_for(pid_t process);
  void late(sys::Duration after);
  void came(int rank);

  /// Of the whole job, where the store is ours.
  int workers() const { return rendezvous_.workers(); }
  /// Workers that would be expected to have come never did, none of the whole job.
  bool none_came() const { return parts_.has_store && rendezvous_.joined() == 0 && expects_any(); }

 private:
  bool expects_any() const;
  void look_for_late();
  void tell_late(sys::Duration after, const std::string& who);
  void note(bool news);
  void record() const;

  const LaunchPlan& plan_;
  Parts parts_;
  Rendezvous rendezvous_;
  sys::TimePoint started_at_;
  std::optional<sys::EventLoop::TimerId> timer_;
  bool late_told_ = false;  ///< that some worker had not come
};

}  // namespace trainit::supervise
