#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/log.h"
#include "logs/relay.h"
#include "plan/launch_plan.h"
#include "report/record.h"
#include "supervise/attendance.h"
#include "supervise/family.h"
#include "supervise/gpu_guard.h"
#include "supervise/gpu_watch.h"
#include "supervise/job_machine.h"
#include "supervise/store_guard.h"
#include "supervise/store_process.h"
#include "supervise/terminal.h"
#include "sys/cgroup.h"
#include "sys/event_loop.h"
#include "sys/inheritance.h"
#include "sys/process.h"
#include "sys/process_tree.h"

namespace trainit::supervise {

/// Carries out what the job machine decides in one round, and tells it what happens: the only place
/// where workers are started, signalled and reaped. From the first worker on nothing here fails:
/// what cannot be done is logged, and the job goes on.
class Supervisor {
 public:
  /// The other hosts of the job; all empty: there are none.
  struct Peers {
    /// This host's workers stop, and `text` says what happened to whom.
    std::function<void(StopReason reason, int signal, const std::string& text)> tell;
    /// Nobody waits any longer for what the others do.
    std::function<void()> hurry;
    /// The store ended when this host's workers did not need it any more.
    std::function<void(const sys::ExitStatus& status)> lost_store;
    Attendance::Peers attendance;
  };
  struct Parts {
    sys::EventLoop& loop;
    sys::Inheritance& inheritance;
    logs::Relay& relay;
    report::RunRecord& record;
    const Logger& log;
    const sys::ControlGroups* groups = nullptr;  ///< of the workers; null: nobody asks `oom_kills`
    StoreProcess* store = nullptr;               ///< null: the workers meet without us
    GpuWatch* gpu_watch = nullptr;               ///< null: nobody watches the GPUs
    Peers peers = {};
    bool last_round = true;  ///< false: what is needed to start the workers once more is kept
  };

  Supervisor(const LaunchPlan& plan, Parts parts);

  /// Starts the workers and returns when the job is finished: no process of it is left, its output
  /// is written. Error: the kernel refuses what a supervisor needs (before any worker).
  Result<JobEnd> run();
  /// Another host's end, or a stop there: this host's workers are to stop.
  void stop_for_peers(StopReason reason, int signal);
  /// After `run`: serves the store and reaps, until `done`. A stop signal makes us hurry when its
  /// time is over, a second one at once.
  void attend_peers(const std::function<bool()>& done);

  /// A stop signal came to this host, before or after the end of `run`.
  bool stop_came() const { return stop_signal_ != 0; }

  const std::vector<WorkerProcess>& workers() const { return workers_; }
  /// How many processes the kernel has killed for want of memory since the job began; nothing where
  /// it does not count them.
  std::optional<std::int64_t> oom_kills() const;
  /// What not even SIGKILL has ended, in a job whose end is stuck; nothing where it cannot be seen.
  const std::optional<Stuck>& stuck() const { return stuck_; }
  /// Who has come to init_process_group. Also other hosts have something to tell it.
  Attendance& attendance() { return attendance_; }

 private:
  StoreProcess::Callbacks reports_of_store();
  Result<void> prepare();
  void warn_of_caller() const;
  std::optional<std::int64_t> count_oom_kills() const;
  void leave_to_workers();
  JobEnd end_of_machine() const;
  void post(const Event& event) { events_.push_back(event); }
  void handle_events();

  void perform(const action::Spawn& action);
  void perform(const action::SignalLeaders& action);
  void perform(const action::SignalGroups& action);
  void perform(const action::SignalTree& action);
  void perform(const action::ArmTimer& action);
  void perform(const action::CancelTimer& action);
  void perform(const action::TellPeers& action);
  void perform(const action::EndHelpers& action);
  void perform(const action::AwaitEmptyTree& action);
  void perform(const action::AwaitDrain& action);
  void perform(const action::Finish& action);

  void read_signals();
  void on_signal(int signal, pid_t sender);
  void stop(int signal, pid_t sender);
  void forward(int signal);
  void on_child();
  void follow_suspended_worker();
  void suspend();
  void resume();
  long live_workers() const;
  std::string who_failed() const;
  bool has_peers() const { return static_cast<bool>(parts_.peers.tell); }
  void hurry_in_time();
  int worker_behind(pid_t process) const;
  void on_store_ended(const sys::ExitStatus& status);
  void look_for_drained_output();
  void reap();
  void look_for_empty_tree(sys::ReapResult reaped);
  void on_reaped(const sys::Reaped& reaped);
  void reap_again();
  sys::SpawnRequest request_for(const WorkerSpec& spec, const logs::WorkerPipes& pipes) const;
  int index_of(pid_t pid) const;

  const LaunchPlan& plan_;
  Parts parts_;
  JobMachine machine_;
  std::vector<WorkerProcess> workers_;
  Family family_;
  Attendance attendance_;
  StoreGuard store_guard_;
  GpuGuard gpu_guard_;
  std::deque<Event> events_;
  sys::UniqueFd signal_fd_, null_;
  std::optional<std::int64_t> oom_kills_before_;
  std::optional<sys::EventLoop::TimerId> timer_, hurry_timer_, reap_timer_;
  sys::TimePoint started_at_;
  std::optional<Stuck> stuck_;
  Terminal terminal_;
  std::string directory_;           ///< where the workers begin, if nothing else is said
  bool suspended_ = false;          ///< workers were stopped by Ctrl-Z and not continued yet
  int stop_signal_ = 0;             ///< the first stop signal that came; 0: none has
  bool leaders_signalled_ = false;  ///< the workers were told to stop
  int tree_signal_ = 0;             ///< the last that the tree was sent
  bool ended_ = false;              ///< `run` is over
  std::optional<sys::TimePoint> stop_came_at_;
  std::optional<sys::ExitStatus> lost_store_;  ///< when our workers did not need it any more
  bool awaits_empty_tree_ = false;
  int looks_before_answer_ = 0;  ///< that may still fail until TreeNotEmpty; 0: nobody waits for it
  bool awaits_drain_ = false;
};

}  // namespace trainit::supervise
