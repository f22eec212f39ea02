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

/// For a look that the whole job depends on, and that may fail for a passing reason.
constexpr int kTries = 3;

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
  if (!sees_processes_ || !sys::has_children()) return;
  // An entry point that ended in `exec trainit` may have left us, say, the `tee` of its log. Where
  // that cannot be found out, nobody is: it must not be taken for a process of the job.
  std::optional<std::vector<pid_t>> there;
  for (int tries = 0; !there && tries < kTries; ++tries)
    there = look(sys::descendants_of(::getpid()));
  sees_processes_ = there.has_value();
  strangers_ = there.value_or(std::vector<pid_t>());
}

/// What a look at /proc has found; says when the first fails after one that did not.
template <class T>
std::optional<T> Family::look(Result<T> found) {
  const bool blinded_before = std::exchange(blinded_, !found);
  if (found) return std::move(*found);
  if (!blinded_before)
    log_.warning("which processes of the job run cannot be seen: {}", found.error().message);
  return std::nullopt;
}

std::optional<std::vector<pid_t>> Family::members() {
  if (!sees_processes_) return std::nullopt;
  return look(sys::descendants_of(::getpid(), strangers_));
}

std::optional<Stuck> Family::stuck() {
  const auto left = members();
  if (!left) return std::nullopt;
  const auto in_kernel =
      std::count_if(left->begin(), left->end(), sys::is_in_uninterruptible_sleep);
  return Stuck{left->size(), static_cast<std::size_t>(in_kernel)};
}

std::optional<bool> Family::is_empty(sys::ReapResult reaped) {
  if (reaped == sys::ReapResult::kNoChildren) return true;
  if (reaped == sys::ReapResult::kFailed) return std::nullopt;
  if (!sees_processes_ || strangers_.empty()) return false;
  const auto others = look(sys::has_children_besides(strangers_));
  return others ? std::optional(!*others) : std::nullopt;
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
  const auto alive = members();
  if (!alive) return end_groups_by_number(signal);
  for (const pid_t pid : *alive) {
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

void Family::end_all(const std::optional<std::vector<pid_t>>& members, int signal) {
  if (members) {
    for (const pid_t pid : *members) end(pid, signal);
  } else if (::getpid() == 1 && !sees_processes_) {
    end(-1, signal);  // nobody can be told apart, and nobody can hide
  } else {
    end_groups_by_number(signal);
  }
}

}  // namespace trainit::supervise
