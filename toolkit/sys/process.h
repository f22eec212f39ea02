#pragma once

#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "sys/exit_status.h"
#include "sys/signals.h"
#include "sys/unique_fd.h"
#include "trainit/result.h"

namespace trainit::sys {

/// The user that a child becomes; numbers only, because names would need the image's NSS modules.
struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< supplementary groups
};

/// Makes this process one of that user, for good. Async-signal-safe. False: errno says why not, and
/// it may have become so in part.
bool become(const Credentials& user);

/// A program to start. Descriptors are borrowed; every other descriptor of ours is close-on-exec,
/// so the child gets these three and, with `pass_on`, whatever our own caller left open for it.
struct SpawnRequest {
  std::string executable;  ///< a path, already found
  int executable_fd = -1;  ///< a program without a path (see sys/memfd.h); wins over `executable`
  std::vector<std::string> argv;                   ///< argv[0] included
  std::vector<std::string> environment;            ///< "NAME=value"
  std::string directory;                           ///< working directory; empty: ours
  int stdin_fd = 0, stdout_fd = 1, stderr_fd = 2;  ///< -1: closed in the child
  bool pass_on = true;
  bool lead_process_group = true;
  bool foreground = false;  ///< its group becomes the terminal's (stdin_fd) foreground group
  int death_signal = 0;     ///< sent to it when we die (PR_SET_PDEATHSIG); 0: none
  std::optional<rlimit> open_files;  ///< its RLIMIT_NOFILE; unset: ours
  std::optional<Credentials> user;
  std::optional<cpu_set_t> cpus;
};

/// Where between fork and exec a child failed, and why.
enum class SpawnStage : int {
  kPipes,
  kFork,
  kGroup,
  kTerminal,
  kStdio,
  kAffinity,
  kUser,
  kDirectory,
  kExec
};
struct SpawnError {
  SpawnStage stage;
  int errno_value;

  /// 127 when the program is not there, 126 when it cannot be run, 125 for any other stage.
  int exit_code() const;
  bool operator==(const SpawnError&) const = default;
};

/// "cannot run /opt/ml/code/train.sh: it is not executable (EACCES); …": one sentence with what to
/// do.
std::string describe(const SpawnError& error, const SpawnRequest& request);

/// The reason alone, of a program that we would run ourselves: "it is not executable: chmod +x it".
std::string why_exec_fails(int errno_value, const std::string& path);
/// What errno would be if we ran what is at a path, by its permissions alone; 0: we may.
int execute_errno(const std::string& path);

/// A started child. Its exec has not happened yet when this is returned: `exec_result` becomes
/// readable when it has failed, and closed (end of file) when it has succeeded.
struct Child {
  pid_t pid;
  UniqueFd exec_result;
};

/// Forks and lets the child prepare itself and exec. Only a failing pipe or fork comes back here.
tl::expected<Child, SpawnError> spawn(const SpawnRequest& request, const InheritedSignals& signals);

/// What `exec_result` holds, without waiting: the failure, or nothing (succeeded, or not yet
/// known).
std::optional<SpawnError> read_exec_result(BorrowedFd exec_result);

/// What PATH means where nobody has set it.
inline constexpr char kDefaultPath[] = "/usr/local/bin:/usr/bin:/bin";

/// The path of a program as `execvp` would find it: `name` itself when it has a '/', else the first
/// executable file on `path` (a PATH value). `directory` is what relative names are relative to.
tl::expected<std::string, SpawnError> find_executable(const std::string& name,
                                                      const std::string& path,
                                                      const std::string& directory);

/// What `ps` shows for this process from here on: for a child that is forked from us and does
/// something else. Its argv is overwritten.
void name_process(const std::string& name);

/// Raises our limit of open files as far as it goes.
void raise_open_files();

}  // namespace trainit::sys
