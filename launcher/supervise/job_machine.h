#pragma once

#include <chrono>
#include <optional>
#include <variant>
#include <vector>

#include "diagnose/verdict.h"
#include "sys/event_loop.h"
#include "sys/exit_status.h"
#include "sys/process.h"

/// What happens to a job and what is done about it, without a clock and without a system call. The
/// supervisor feeds events and carries out actions; nothing else decides.
namespace trainit::supervise {

using diagnose::StopReason;
using sys::Duration;
using sys::TimePoint;

enum class Timer {
  kLeaders,  ///< the workers' own time to end is over
  kGroups,   ///< their groups' time is over
  kLinger,   ///< what survived the workers' natural end has had its time
  kKill,     ///< the tree was sent KILL and may need another
  kDrain,    ///< the output pipes are not at their end yet
};

namespace event {
struct Agreed {};  ///< the plan stands: begin
struct Spawned {
  int worker;
};  ///< there is a process; its exec may still fail
struct SpawnFailed {
  int worker;
  sys::SpawnError error;
};  ///< before the Exited of the same worker, which follows unless the fork itself failed
struct Exited {
  int worker;
  sys::ExitStatus status;
  bool signalled;  ///< SignalLeaders had been carried out when it was reaped
};
struct StopRequested {
  int signal;
};
struct StoreEnded {
  sys::ExitStatus status;
};  ///< the process that serves the rendezvous store is gone, by itself
struct PeersStop {
  StopReason reason;
  int signal;  ///< the platform's, with kPlatform
};             ///< the workers of all hosts are stopped, for something that happened on another one
struct TimerFired {
  Timer timer;
};
struct TreeEmpty {};      ///< no process of this job is left
struct TreeNotEmpty {};   ///< the answer to AwaitEmptyTree when some are
struct OutputDrained {};  ///< every output pipe has reached its end
}  // namespace event
using Event =
    std::variant<event::Agreed, event::Spawned, event::SpawnFailed, event::Exited,
                 event::StopRequested, event::StoreEnded, event::PeersStop, event::TimerFired,
                 event::TreeEmpty, event::TreeNotEmpty, event::OutputDrained>;

/// How one worker's story ended.
struct WorkerEnd {
  std::optional<sys::ExitStatus> status;  ///< nothing: it never ran, or not even KILL ended it
  std::optional<sys::SpawnError> spawn_error;
  bool told_to_stop = false;  ///< it ended after we had told it to, or had been asked to tell it,
                              ///< be it because of that or not; also when it never ran because of
                              ///< a stop
  TimePoint started_at, ended_at;
};

/// All that the machine knows when it is finished.
struct JobEnd {
  StopReason reason = StopReason::kNone;
  bool elsewhere = false;                  ///< it happened on another host
  int stop_signal = 0;                     ///< what asked for the stop; 0: nothing did
  std::optional<TimePoint> stop_asked_at;  ///< when the first stop signal came
  std::optional<TimePoint> stop_at;        ///< when stopping began, be it for that or a failure
  std::optional<TimePoint>
      groups_at;  ///< when the workers had not ended and their groups were told
  std::optional<TimePoint> leaders_down_at;
  std::optional<TimePoint> kill_at;      ///< when everything was first sent KILL
  std::optional<sys::ExitStatus> store;  ///< the store's end, when workers still needed it
  std::vector<WorkerEnd> workers;        ///< by local rank
  bool survivors = false;                ///< processes outlived their worker and were ended
  bool output_cut = false;               ///< the pipes had not been drained at the drain deadline
  std::optional<Duration> stuck_after;   ///< so long after the first KILL a process had not gone

  bool success() const;  ///< every worker ended with 0, and the store outlived them
  /// Whether a KILL of ours may be what ended it. One that never ran was not killed by anybody
  /// else.
  bool may_have_killed(const WorkerEnd& worker) const {
    return !worker.status || (kill_at && worker.ended_at >= *kill_at);
  }
  /// From a stop signal to the end of the last worker, most of it for a checkpoint. Nothing when no
  /// stop signal found workers running, when signals ended all of them, and when they did not end
  /// in the time that they had.
  std::optional<Duration> checkpoint_time() const;
};

namespace action {
struct Spawn {
  int worker;
};  ///< answer with Spawned or SpawnFailed; the next worker's turn comes only then
struct SignalLeaders {
  int signal;
};  ///< each live worker; a stopped one is continued too
struct SignalGroups {
  int signal;
};  ///< each worker's process group
struct SignalTree {
  int signal;
};  ///< every process of the job
struct ArmTimer {
  Timer timer;
  Duration delay;
};  ///< the one timer there is; replaces what was armed
struct CancelTimer {};
struct TellPeers {
  StopReason reason;
};  ///< this host's workers do not go on, and the reason lies here: the other hosts' are to stop
    ///< too; once at most
struct EndHelpers {
};  ///< the last worker is gone: nobody needs the store, nor who watches the GPUs
struct AwaitEmptyTree {};  ///< answer with TreeEmpty or TreeNotEmpty; then report TreeEmpty
struct AwaitDrain {};      ///< from now on report OutputDrained, at once if it is
struct Finish {};
}  // namespace action
using Action =
    std::variant<action::Spawn, action::SignalLeaders, action::SignalGroups, action::SignalTree,
                 action::ArmTimer, action::CancelTimer, action::TellPeers, action::EndHelpers,
                 action::AwaitEmptyTree, action::AwaitDrain, action::Finish>;

/// How long each step may take.
struct Limits {
  Duration stop_leaders, stop_groups;  ///< after a stop signal
  Duration failure_grace;              ///< after a worker failed
  Duration linger;                     ///< survivors of the workers' natural end
  bool sweep = true;                   ///< false: survivors of the natural end are left alone
  /// From the first KILL until we give up, and then for what is in the pipes: after a stop signal,
  /// and when nobody waits to kill us.
  Duration stop_kill = std::chrono::milliseconds(600), kill = std::chrono::seconds(5);
  Duration stop_drain = std::chrono::milliseconds(500), drain = std::chrono::milliseconds(500);
};

class JobMachine {
 public:
  JobMachine(int workers, Limits limits);

  std::vector<Action> on(const Event& event, TimePoint now);

  bool finished() const { return phase_ == Phase::kFinished; }
  const JobEnd& end() const { return end_; }

 private:
  enum class Phase {
    kIdle,     ///< before Agreed
    kRunning,  ///< workers run, nothing has gone wrong
    kLeaders,  ///< told to stop, each worker has its grace
    kGroups,   ///< the grace is over: their groups were sent TERM
    kLinger,   ///< the workers ended by themselves; survivors were sent TERM
    kKill,     ///< everything was sent KILL
    kDrain,    ///< nothing is left but output in the pipes
    kFinished,
  };
  using Actions = std::vector<Action>;

  void handle(const event::Agreed&, TimePoint now, Actions& out);
  void handle(const event::Spawned&, TimePoint now, Actions& out);
  void handle(const event::SpawnFailed&, TimePoint now, Actions& out);
  void handle(const event::Exited&, TimePoint now, Actions& out);
  void handle(const event::StopRequested&, TimePoint now, Actions& out);
  void handle(const event::StoreEnded&, TimePoint now, Actions& out);
  void handle(const event::PeersStop&, TimePoint now, Actions& out);
  void handle(const event::TimerFired&, TimePoint now, Actions& out);
  void handle(const event::TreeEmpty&, TimePoint now, Actions& out);
  void handle(const event::TreeNotEmpty&, TimePoint now, Actions& out);
  void handle(const event::OutputDrained&, TimePoint now, Actions& out);

  void spawn_next(Actions& out);
  void worker_down(WorkerEnd& ended, TimePoint now, Actions& out);
  void look_for_survivors(TimePoint now, Actions& out);
  void begin_stop(StopReason reason, int signal, Duration grace, TimePoint now, Actions& out);
  void first_stop_signal(TimePoint now, Actions& out);
  void tell_peers(StopReason reason, Actions& out);
  void shorten(Duration limit, TimePoint now, Actions& out);
  void next_step(TimePoint now, Actions& out);
  void end_groups(TimePoint now, Actions& out);
  void kill_tree(TimePoint now, Actions& out);
  void repeat_kill(TimePoint now, Actions& out);
  void drain(TimePoint now, Actions& out);
  void finish(TimePoint now, Actions& out);
  void arm(Timer timer, Duration delay, TimePoint now, Actions& out);
  bool leaders_down() const;
  bool all_ended() const;
  WorkerEnd& worker(int index) { return end_.workers[static_cast<std::size_t>(index)]; }

  Phase phase_ = Phase::kIdle;
  Limits limits_;
  int started_ = 0;  ///< workers whose turn to be spawned has come
  std::optional<Timer> armed_;
  TimePoint due_;  ///< of the armed timer
  bool peers_told_ = false;
  bool stop_travelled_ = false;  ///< a stop came here from another host, and no signal after it
  TimePoint kill_until_;         ///< what is still there then is stuck
  JobEnd end_;
};

}  // namespace trainit::supervise
