#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "sys/exit_status.h"
#include "trainit/result.h"

/// What becomes of processes after their start.
namespace trainit::sys {

/// One ended child that was reaped.
struct Reaped {
  pid_t pid;
  ExitStatus status;
  long max_memory_kib;  ///< largest resident set of it and the children it waited for
};
enum class ReapResult { kReaped, kNoneEnded, kNoChildren, kFailed };
/// Reaps one ended child, own or adopted, without waiting. kFailed: the kernel did not tell; try
/// again.
ReapResult reap_one(Reaped& reaped);

/// Reaps this child, without waiting; nothing: it has not ended, or is none of ours.
std::optional<ExitStatus> reap_if_ended(pid_t pid);

/// The signal that has stopped this child (SIGTSTP, SIGTTIN, SIGSTOP), once for each time.
std::optional<int> take_stopped(pid_t pid);

/// Every process below `root` in the tree, by /proc, but those `without` and what is below them, as
/// far as we may look at them. Error: /proc cannot be read now, or is not there.
Result<std::vector<pid_t>> descendants_of(pid_t root, const std::vector<pid_t>& without = {});
/// The parent of a process, by /proc; 0 when it cannot be seen.
pid_t parent_of(pid_t pid);
/// Whether a process of one thread has ended, or is about to and may have closed its files by now;
/// by /proc.
bool is_ending(pid_t pid);
/// Whether a process waits in the kernel for something that not even SIGKILL interrupts, by /proc.
bool is_in_uninterruptible_sleep(pid_t pid);
/// True when this process has a child, ended or not, or when the kernel does not tell.
bool has_children();
/// The same for a child that is none of these, by the numbers in /proc. Error: the kernel does not
/// tell, or /proc cannot be listed now.
Result<bool> has_children_besides(const std::vector<pid_t>& others);
/// The same for a child in a process group; then the group's number is nobody else's.
bool has_children_in_group(pid_t group);

}  // namespace trainit::sys
