#include "sys/process_tree.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>

#include "base/text.h"
#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::sys {
namespace {

struct Process {
  pid_t pid, parent;
  char state;
  unsigned flags;  ///< the kernel's PF_…
  int threads;
};

/// From /proc/PID/stat, whose second field may hold spaces and parentheses.
std::optional<Process> parse_process(pid_t pid, std::string_view line) {
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  constexpr std::size_t kFlags = 6, kThreads = 17;
  const auto fields = split(line.substr(std::min(line.size(), name_end + 2)), ' ');
  if (fields.size() <= kThreads || fields[0].empty()) return std::nullopt;
  const auto parent = parse_number<pid_t>(fields[1]);
  const auto flags = parse_number<unsigned>(fields[kFlags]);
  const auto threads = parse_number<int>(fields[kThreads]);
  if (!parent || !flags || !threads) return std::nullopt;
  return Process{pid, *parent, fields[0][0], *flags, *threads};
}

/// Whether this is a child of ours, ended or not.
Result<bool> is_child(pid_t pid) {
  siginfo_t info = {};
  const id_t id = static_cast<id_t>(pid);
  if (posix::waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0) return true;
  if (errno == ECHILD) return false;
  return fail("looking for children: " + errno_text(errno));
}

/// Nothing when it has ended meanwhile. A mount option of /proc hides what the processes of other
/// users do, but our children we know all the same.
Result<std::optional<Process>> read_process(pid_t pid) {
  const std::string path = fmt::format("/proc/{}/stat", pid);
  const UniqueFd file(posix::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char line[1024];  // longer than it can be
  const ssize_t size = file ? read_some(file.borrow(), line, sizeof line) : -1;
  if (size >= 0) return parse_process(pid, {line, static_cast<std::size_t>(size)});
  if (errno == ENOENT || errno == ESRCH) return std::nullopt;
  if (errno != EACCES && errno != EPERM)
    return fail(fmt::format("reading {}: {}", path, errno_text(errno)));
  if (!TRAINIT_TRY(is_child(pid))) return std::nullopt;
  return Process{pid, ::getpid(), '?', 0, 1};
}

/// The numbers of the processes of this pid namespace.
Result<std::vector<pid_t>> process_numbers() {
  std::vector<pid_t> numbers;
  for (const std::string& name : TRAINIT_TRY(list_directory("/proc"))) {
    if (const auto pid = parse_number<pid_t>(name)) numbers.push_back(*pid);
  }
  return numbers;
}

/// Every process of this pid namespace, by its parent.
Result<std::unordered_multimap<pid_t, Process>> processes_by_parent() {
  std::unordered_multimap<pid_t, Process> processes;
  for (const pid_t pid : TRAINIT_TRY(process_numbers())) {
    if (const auto process = TRAINIT_TRY(read_process(pid)))
      processes.emplace(process->parent, *process);
  }
  return processes;
}

bool contains(const std::vector<pid_t>& pids, pid_t pid) {
  return std::find(pids.begin(), pids.end(), pid) != pids.end();
}

/// The state is that of the first thread, which may end before the others do.
bool is_gone(const Process& process) {
  return (process.state == 'Z' || process.state == 'X') && process.threads <= 1;
}

}  // namespace

ReapResult reap_one(Reaped& reaped) {
  siginfo_t info = {};
  rusage usage = {};
  if (posix::waitid(P_ALL, 0, &info, WEXITED | WNOHANG, &usage) != 0) {
    return errno == ECHILD ? ReapResult::kNoChildren : ReapResult::kFailed;
  }
  if (info.si_pid == 0) return ReapResult::kNoneEnded;
  reaped = Reaped{info.si_pid, ExitStatus::of(info), usage.ru_maxrss};
  return ReapResult::kReaped;
}

std::optional<ExitStatus> reap_if_ended(pid_t pid) {
  siginfo_t info = {};
  const int waited = posix::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG);
  return waited == 0 && info.si_pid == pid ? std::optional(ExitStatus::of(info)) : std::nullopt;
}

std::optional<int> take_stopped(pid_t pid) {
  siginfo_t info = {};
  const int waited = posix::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOHANG);
  return waited == 0 && info.si_pid == pid ? std::optional(info.si_status) : std::nullopt;
}

pid_t parent_of(pid_t pid) {
  const auto process = read_process(pid);
  return process && *process ? (*process)->parent : 0;
}

bool is_ending(pid_t pid) {
  constexpr unsigned kExiting = 0x4;  // the kernel's PF_EXITING, set before it closes the files
  const auto process = read_process(pid);
  return process && *process && ((*process)->flags & kExiting) != 0;
}

bool is_in_uninterruptible_sleep(pid_t pid) {
  const auto process = read_process(pid);
  return process && *process && (*process)->state == 'D';
}

bool has_children() {
  siginfo_t info = {};
  return posix::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

bool has_children_in_group(pid_t group) {
  siginfo_t info = {};
  return posix::waitid(P_PGID, static_cast<id_t>(group), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// Asks the kernel about each number there is, rather than reading whose child it is: that needs
/// no right to read it, and none is missed, because an ended child stays until we reap it.
Result<bool> has_children_besides(const std::vector<pid_t>& others) {
  for (const pid_t pid : TRAINIT_TRY(process_numbers())) {
    if (!contains(others, pid) && TRAINIT_TRY(is_child(pid))) return true;
  }
  return false;
}

Result<std::vector<pid_t>> descendants_of(pid_t root, const std::vector<pid_t>& without) {
  const auto processes = TRAINIT_TRY(processes_by_parent());
  std::vector<pid_t> family = {root};
  std::vector<pid_t> alive;
  for (std::size_t next = 0; next < family.size(); ++next) {
    const auto [first, last] = processes.equal_range(family[next]);
    for (auto child = first; child != last; ++child) {
      if (contains(without, child->second.pid)) continue;
      family.push_back(child->second.pid);
      if (!is_gone(child->second)) alive.push_back(child->second.pid);
    }
  }
  return alive;
}

}  // namespace trainit::sys
