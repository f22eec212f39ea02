#include "supervise/family.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "sys/files.h"
#include "sys/posix.h"
#include "sys/signals.h"

namespace trainit::supervise {
namespace {

/// False also for a /proc of another pid namespace, in which the numbers mean others.
bool shows_our_namespace(const std::string& proc) {
  char number[16] = {};
  const ssize_t size = posix::readlink((proc + "/self").c_str(), number, sizeof number - 1);
  return size > 0 && std::to_string(::getpid()) == number;
}

}  // namespace

void Family::begin() {
  // Orphans of the workers come to us rather than to a process that knows nothing of them.
  if (::getpid() != 1 && posix::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    log_.warning("processes that outlive their parent cannot be looked after here: {}",
                 sys::errno_text(errno));
  }
  sees_processes_ = shows_our_namespace("/proc");
  if (!sees_processes_ && ::getpid() != 1) {
    log_.warning(
        "there is no /proc of this pid namespace: processes that leave their worker's process "
        "group cannot be found");
  }
  // An entry point that ended in `exec trainit` may have left us, say, the `tee` of its log.
  if (sees_processes_ && sys::has_children()) strangers_ = sys::descendants_of(::getpid());
}

std::vector<pid_t> Family::members() const {
  if (!sees_processes_) return {};
  return sys::descendants_of(::getpid(), strangers_);
}

bool Family::is_empty(sys::ReapResult reaped) const {
  if (reaped == sys::ReapResult::kNoChildren) return true;
  return !strangers_.empty() && members().empty();
}

void Family::send(pid_t pid, int signal) {
  if (posix::kill(pid, signal) == 0 || errno == ESRCH) return;
  const int error = errno;
  if (std::exchange(trouble_told_, true)) return;
  log_.warning("{} cannot be sent to process {}: {}", sys::signal_name(signal), std::abs(pid),
               sys::errno_text(error));
}

void Family::signal_leader(const WorkerProcess& worker, int signal) {
  if (worker.pid > 0) send(worker.pid, signal);
}

void Family::end(pid_t pid, int signal) {
  send(pid, signal);
  if (signal != SIGKILL) send(pid, SIGCONT);
}

void Family::end_groups(int signal) {
  if (!sees_processes_) return end_groups_by_number(signal);
  for (const pid_t pid : members()) {
    const pid_t group = posix::getpgid(pid);
    const bool ours = std::any_of(workers_.begin(), workers_.end(), [&](const auto& worker) {
      return worker.pid == pid || worker.last_pid == group;
    });
    if (ours) end(pid, signal);
  }
}

/// A leader that was reaped may have left its number to somebody else, unless an orphan of its
/// group is our child by now.
void Family::end_groups_by_number(int signal) {
  for (const WorkerProcess& worker : workers_) {
    const bool ours =
        worker.pid > 0 || (worker.last_pid > 0 && sys::has_children_in_group(worker.last_pid));
    if (ours) end(-worker.last_pid, signal);
  }
}

void Family::end_all(const std::vector<pid_t>& members, int signal) {
  for (const pid_t pid : members) end(pid, signal);
  if (sees_processes_) return;
  if (::getpid() == 1) {
    send(-1, signal);  // nobody can be told apart, and nobody can hide
  } else {
    end_groups_by_number(signal);
  }
}

}  // namespace trainit::supervise
