// Reaping, finding and capturing: what happens to processes after their start.
#include <fmt/core.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <unordered_map>

#include "base/text.h"
#include "sys/event_loop.h"
#include "sys/files.h"
#include "sys/posix.h"
#include "sys/process.h"

namespace trainit::sys {
namespace {

constexpr std::size_t kCaptureLimit = 1 << 20;

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

/// Reads until end of file, the deadline or a stop signal. Tells why it ended; empty: end of file.
std::string read_to_end(BorrowedFd output, BorrowedFd stop, TimePoint deadline, std::string& text) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return "it did not answer in time";
    pollfd ready[] = {{output.get(), POLLIN, 0}, {stop.get(), POLLIN, 0}};
    if (posix::poll(ready, 2, static_cast<int>(left)) < 0 && errno != EINTR)
      return errno_text(errno);
    if (ready[1].revents != 0) return "a stop signal came";
    if (ready[0].revents == 0) continue;
    char buffer[4096];
    const ssize_t count = posix::read(output.get(), buffer, sizeof buffer);
    if (count == 0) return {};
    if (count > 0) text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > kCaptureLimit) return "its answer is longer than 1 MiB";
  }
}

const std::string& name_of(const SpawnRequest& request) {
  return request.executable.empty() && !request.argv.empty() ? request.argv[0] : request.executable;
}

ExitStatus wait_for(pid_t pid) {
  siginfo_t info = {};
  while (posix::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0 && errno == EINTR) {
  }
  return status_of(info);
}

/// Whether the child has ended by then; it is not reaped.
bool ends_before(pid_t pid, TimePoint deadline) {
  while (true) {
    siginfo_t info = {};
    const int failed =
        posix::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
    if (failed != 0 || info.si_pid == pid) return true;
    if (Clock::now() >= deadline) return false;
    posix::poll(nullptr, 0, 1);
  }
}

/// Ends a child that overstayed: it gets 10 ms after TERM. One that waits inside a driver cannot be
/// killed until the driver lets it go, so after half a second it is left to be reaped later.
void end_child(pid_t pid) {
  posix::kill(pid, SIGTERM);
  ends_before(pid, Clock::now() + std::chrono::milliseconds(10));
  posix::kill(pid, SIGKILL);
  if (ends_before(pid, Clock::now() + std::chrono::milliseconds(500))) wait_for(pid);
}

}  // namespace

ReapResult reap_one(Reaped& reaped) {
  siginfo_t info = {};
  rusage usage = {};
  // The raw call: only it gives the resource usage together with WNOHANG for any child.
  if (::syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG, &usage) != 0) {
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

Result<std::string> run_and_capture(SpawnRequest request, int deadline_ms) {
  const TimePoint deadline = Clock::now() + std::chrono::milliseconds(deadline_ms);
  int ends[2];
  if (posix::pipe2(ends, O_CLOEXEC) != 0) return fail("making a pipe: " + errno_text(errno));
  const UniqueFd output(ends[0]);
  UniqueFd input(ends[1]);
  const UniqueFd stop = TRAINIT_TRY(open_stop_fd());
  request.stdout_fd = input.get();
  InheritedSignals signals = {};
  sigemptyset(&signals.mask);
  sigemptyset(&signals.ignored);
  sigemptyset(&signals.dropped);
  const auto child = spawn(request, signals);
  if (!child) return fail(describe(child.error(), request));
  input.reset();
  std::string text;
  std::string problem = read_to_end(output.borrow(), stop.borrow(), deadline, text);
  if (problem.empty() && !ends_before(child->pid, deadline)) problem = "it did not end in time";
  if (!problem.empty()) {
    end_child(child->pid);
    return fail(name_of(request) + ": " + problem);
  }
  const ExitStatus status = wait_for(child->pid);
  if (const auto error = read_exec_result(child->exec_result.borrow()))
    return fail(describe(*error, request));
  if (!status.success()) return fail(fmt::format("{} {}", name_of(request), describe(status)));
  return text;
}

}  // namespace trainit::sys
