#include "sys/process.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/text.h"
#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::sys {
namespace {

/// What crosses the exec pipe; smaller than PIPE_BUF, so it arrives whole or not at all.
struct StageAndErrno {
  SpawnStage stage;
  int errno_value;
};

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// The child between fork and exec. Everything here is async-signal-safe, and everything that
/// allocates was done before the fork.
class ChildSetup {
 public:
  ChildSetup(const SpawnRequest& request, const InheritedSignals& signals, pid_t parent)
      : request_(request),
        signals_(signals),
        parent_(parent),
        argv_(pointers_to(request.argv)),
        environment_(pointers_to(request.environment)),
        named_by_listen_pid_(find_listen_pid(request.environment, parent)) {}

  [[noreturn]] void run(int result_fd) {
    const StageAndErrno failure{prepare_and_exec(), errno};
    [[maybe_unused]] const ssize_t written = ::write(result_fd, &failure, sizeof failure);
    ::_exit(SpawnError{failure.stage, failure.errno_value}.exit_code());
  }

 private:
  /// Returns only when a stage has failed, with errno set.
  SpawnStage prepare_and_exec() {
    if (request_.lead_process_group && ::setpgid(0, 0) != 0) return SpawnStage::kGroup;
    if (request_.foreground && ::tcsetpgrp(request_.stdin_fd, ::getpid()) != 0)
      return SpawnStage::kTerminal;
    if (!place_stdio()) return SpawnStage::kStdio;
    // By a kernel older than 5.11 it is refused, and the child gets them after all.
    if (!request_.pass_on) ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    if (request_.cpus && ::sched_setaffinity(0, sizeof *request_.cpus, &*request_.cpus) != 0) {
      return SpawnStage::kAffinity;
    }
    if (request_.user && !become(*request_.user)) return SpawnStage::kUser;
    if (request_.open_files) ::setrlimit(RLIMIT_NOFILE, &*request_.open_files);
    if (!request_.directory.empty() && ::chdir(request_.directory.c_str()) != 0)
      return SpawnStage::kDirectory;
    die_with_parent();
    pass_listen_pid_on();
    restore_signals(signals_);
    if (request_.executable_fd >= 0) {
      ::syscall(SYS_execveat, request_.executable_fd, "", argv_.data(), environment_.data(),
                AT_EMPTY_PATH);
    } else {
      ::execve(request_.executable.c_str(), argv_.data(), environment_.data());
    }
    return SpawnStage::kExec;
  }

  bool place_stdio() const {
    const int wanted[] = {request_.stdin_fd, request_.stdout_fd, request_.stderr_fd};
    for (int target = 0; target < 3; ++target) {
      if (wanted[target] < 0) {
        ::close(target);
      } else if (wanted[target] != target && ::dup2(wanted[target], target) < 0) {
        return false;
      }
    }
    return true;
  }

  /// After the change of user, which clears the death signal. A parent that died before it was set
  /// sends none any more.
  void die_with_parent() const {
    if (request_.death_signal == 0) return;
    ::prctl(PR_SET_PDEATHSIG, request_.death_signal);
    if (::getppid() != parent_) ::_exit(128 + request_.death_signal);
  }

  /// Socket activation passes descriptors to the process that LISTEN_PID names. When that is us,
  /// the child is meant.
  void pass_listen_pid_on() {
    if (!named_by_listen_pid_) return;
    char* end = listen_pid_ + sizeof kListenPid - 1;
    std::memcpy(listen_pid_, kListenPid, sizeof kListenPid - 1);
    *std::to_chars(end, listen_pid_ + sizeof listen_pid_ - 1, ::getpid()).ptr = '\0';
    environment_[*named_by_listen_pid_] = listen_pid_;
  }

  static constexpr char kListenPid[] = "LISTEN_PID=";
  static std::optional<std::size_t> find_listen_pid(const std::vector<std::string>& environment,
                                                    pid_t ours) {
    const auto found =
        std::find(environment.begin(), environment.end(), kListenPid + std::to_string(ours));
    if (found == environment.end()) return std::nullopt;
    return found - environment.begin();
  }

  const SpawnRequest& request_;
  const InheritedSignals& signals_;
  pid_t parent_;
  std::vector<char*> argv_, environment_;
  std::optional<std::size_t> named_by_listen_pid_;  ///< its place in the environment
  char listen_pid_[sizeof kListenPid + 20] = {};
};

enum class Candidate { kExecutable, kUnfit, kNone };

/// What there is of this name. Of a directory it is as if there were nothing.
Candidate look_at(const std::string& path) {
  struct stat status = {};
  if (posix::stat(path.c_str(), &status) != 0 || S_ISDIR(status.st_mode)) return Candidate::kNone;
  const bool executable = S_ISREG(status.st_mode) && posix::access(path.c_str(), X_OK) == 0;
  return executable ? Candidate::kExecutable : Candidate::kUnfit;
}

}  // namespace

int execute_errno(const std::string& path) {
  struct stat status = {};
  if (posix::stat(path.c_str(), &status) != 0) return errno;
  if (!S_ISREG(status.st_mode)) return EACCES;
  return posix::access(path.c_str(), X_OK) == 0 ? 0 : errno;
}

int SpawnError::exit_code() const {
  if (stage != SpawnStage::kExec) return 125;
  return errno_value == ENOENT || errno_value == ENOTDIR ? 127 : 126;
}

bool become(const Credentials& user) {
  return ::setgroups(user.groups.size(), user.groups.data()) == 0 &&
         ::setresgid(user.gid, user.gid, user.gid) == 0 &&
         ::setresuid(user.uid, user.uid, user.uid) == 0;
}

void name_process(const std::string& name) {
  ::prctl(PR_SET_NAME, name.c_str());
  const auto shown = read_file("/proc/self/cmdline");
  // argv's strings lie one behind the other, as the kernel put them there.
  if (!shown || shown->empty() || *shown->c_str() == '\0') return;
  char* const begin = program_invocation_name;
  std::memset(begin, 0, shown->size());
  std::copy_n(name.data(), std::min(name.size(), shown->size() - 1), begin);
}

void raise_open_files() {
  rlimit limit = {};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

tl::expected<Child, SpawnError> spawn(const SpawnRequest& request,
                                      const InheritedSignals& signals) {
  const auto failed = [] { return tl::unexpected(SpawnError{SpawnStage::kFork, errno}); };
  int ends[2];
  if (posix::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return failed();
  UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  ChildSetup setup(request, signals, ::getpid());
  const pid_t pid = posix::fork();
  if (pid < 0) return failed();
  if (pid == 0) setup.run(write_end.get());
  // The child does the same: whoever comes first, the group is there before anybody signals it.
  if (request.lead_process_group) posix::setpgid(pid, pid);
  return Child{pid, std::move(read_end)};
}

std::optional<SpawnError> read_exec_result(BorrowedFd exec_result) {
  StageAndErrno failure;
  if (read_some(exec_result, &failure, sizeof failure) != sizeof failure) return std::nullopt;
  return SpawnError{failure.stage, failure.errno_value};
}

tl::expected<std::string, SpawnError> find_executable(const std::string& name,
                                                      const std::string& path,
                                                      const std::string& directory) {
  if (name.find('/') != std::string::npos) return name;
  int errno_value = ENOENT;
  for (const std::string_view entry : split(path, ':')) {
    // An empty entry means the working directory, which is the worker's, not ours.
    const std::string folder =
        join_path(directory.empty() ? "." : directory, entry.empty() ? "." : entry);
    std::string candidate = join_path(folder, name);
    const Candidate found = look_at(candidate);
    if (found == Candidate::kExecutable) return candidate;
    if (found == Candidate::kUnfit) errno_value = EACCES;
  }
  return tl::unexpected(SpawnError{SpawnStage::kExec, errno_value});
}

}  // namespace trainit::sys
