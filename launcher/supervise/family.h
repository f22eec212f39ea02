#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "sys/process_tree.h"
#include "sys/unique_fd.h"

namespace trainit::supervise {

/// One worker as a process.
struct WorkerProcess {
  pid_t pid = -1;       ///< -1: not running, be it not yet or no more
  pid_t last_pid = -1;  ///< for reports, after it was reaped
  sys::UniqueFd exec_result;
  std::string spawn_text;  ///< why it could not be started
  long max_memory_kib = 0;
};

/// Processes that were sent SIGKILL and are still there.
struct Stuck {
  std::size_t processes = 0;
  std::size_t in_kernel = 0;  ///< of them, in uninterruptible sleep
};

/// The processes of a job: its workers, what these started, and what that left behind. Knows which
/// they are, by /proc where there is one, and sends them signals. What our caller left us, and what
/// somebody else starts beside us, is none of them. Nothing here fails: what cannot be done is said
/// once.
class Family {
 public:
  /// `workers` and `log` outlive it.
  Family(const std::vector<WorkerProcess>& workers, const Logger& log)
      : workers_(workers), log_(log) {}

  /// Before the first worker: makes orphans come to us, and looks who is there already.
  void begin();
  /// A child of ours that is no process of the job, until it was reaped.
  void exclude(pid_t pid) { strangers_.push_back(pid); }

  /// All that run; nothing where they cannot be seen, be it for now only.
  std::optional<std::vector<pid_t>> members();
  /// What they do that not even SIGKILL has ended; nothing where they cannot be seen.
  std::optional<Stuck> stuck();
  /// Whether nobody is left, by what reaping said last; nothing when that cannot be known now: look
  /// again soon.
  std::optional<bool> is_empty(sys::ReapResult reaped);
  /// This process was reaped, and was no worker.
  void forget(pid_t pid) { std::erase(strangers_, pid); }

  /// To a process, or with a negative number to a process group. One that is gone needs no signal.
  void send(pid_t pid, int signal);
  void signal_leader(const WorkerProcess& worker, int signal);
  /// Asks each worker and its process group to end; a stopped process is continued, or it would not
  /// see that.
  void end_groups(int signal);
  /// The same for `members`, and where they cannot be seen for as many as can be reached.
  void end_all(const std::optional<std::vector<pid_t>>& members, int signal);

 private:
  template <class T>
  std::optional<T> look(Result<T> found);
  void end(pid_t pid, int signal);
  void end_groups_by_number(int signal);

  const std::vector<WorkerProcess>& workers_;
  const Logger& log_;
  bool sees_processes_ = false;   ///< there is a /proc of our pid namespace
  bool blinded_ = false;          ///< the last look at it failed
  std::vector<pid_t> strangers_;  ///< children, and what is below them, that are none of the job's
  bool trouble_told_ = false;
};

}  // namespace trainit::supervise
