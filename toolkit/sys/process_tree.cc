// Reaping and finding: what happens to processes after their start.
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
#include "sys/process.h"

namespace trainit::sys {
namespace {

ExitStatus status_of(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return ExitStatus::exited(info.si_status);
  return ExitStatus::killed(info.si_status, info.si_code == CLD_DUMPED);
}

struct Process {
  pid_t pid, parent;
  char state;
};

/// From /proc/PID/stat, whose second field may hold spaces and parentheses.
std::optional<Process> read_process(pid_t pid) {
  const std::string line = read_line("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  const auto fields =
      split(std::string_view(line).substr(std::min(line.size(), name_end + 2)), ' ');
  if (fields.size() < 2 || fields[0].empty()) return std::nullopt;
  const auto parent = parse_number<pid_t>(fields[1]);
  if (!parent) return std::nullopt;
  return Process{pid, *parent, fields[0][0]};
}

/// Every process of this pid namespace, by its parent.
std::unordered_multimap<pid_t, Process> processes_by_parent() {
  std::unordered_multimap<pid_t, Process> processes;
  const auto names = list_directory("/proc");
  if (!names) return processes;
  for (const std::string& name : *names) {
    const auto pid = parse_number<pid_t>(name);
    if (!pid) continue;
    if (const auto process = read_process(*pid)) processes.emplace(process->parent, *process);
  }
  return processes;
}

bool is_gone(const Process& process) { return process.state == 'Z' || process.state == 'X'; }

}  // namespace

ReapResult reap_one(Reaped& reaped) {
  siginfo_t info = {};
  rusage usage = {};
  if (posix::waitid(P_ALL, 0, &info, WEXITED | WNOHANG, &usage) != 0) {
    return errno == ECHILD ? ReapResult::kNoChildren : ReapResult::kFailed;
  }
  if (info.si_pid == 0) return ReapResult::kNoneEnded;
  reaped = Reaped{info.si_pid, status_of(info), usage.ru_maxrss};
  return ReapResult::kReaped;
}

bool take_stopped(pid_t pid) {
  siginfo_t info = {};
  return posix::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOHANG) == 0 &&
         info.si_pid == pid;
}

pid_t parent_of(pid_t pid) {
  const auto process = read_process(pid);
  return process ? process->parent : 0;
}

bool has_children() {
  siginfo_t info = {};
  return posix::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool has_children_in_group(pid_t group) {
  siginfo_t info = {};
  return posix::waitid(P_PGID, static_cast<id_t>(group), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

std::vector<pid_t> descendants_of(pid_t root, const std::vector<pid_t>& without) {
  const auto processes = processes_by_parent();
  std::vector<pid_t> family = {root};
  std::vector<pid_t> alive;
  for (std::size_t next = 0; next < family.size(); ++next) {
    const auto [first, last] = processes.equal_range(family[next]);
    for (auto child = first; child != last; ++child) {
      if (std::find(without.begin(), without.end(), child->second.pid) != without.end()) continue;
      family.push_back(child->second.pid);
      if (!is_gone(child->second)) alive.push_back(child->second.pid);
    }
  }
  return alive;
}

}  // namespace trainit::sys
