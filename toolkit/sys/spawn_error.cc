// The sentence for a program that could not be started.
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "sys/files.h"
#include "sys/first_line.h"
#include "sys/posix.h"
#include "sys/process.h"

namespace trainit::sys {
namespace {

std::string why_not_found(const std::string& path) {
  if (const std::string target = dangling_link(path); !target.empty())
    return "it is a dangling link to " + target;
  if (!exists(path)) return "there is no such file";
  const FirstLine line = read_first_line(path);
  if (line.script && line.windows_line_end) return line.complaint();
  if (line.script) {
    return fmt::format("its first line names {}, which is not in this image", line.interpreter());
  }
  return "the dynamic loader that it was linked for is not in this image; link it statically, or "
         "use the "
         "image that it was built on";
}

std::string why_exec_from_memory_failed(int errno_value) {
  switch (errno_value) {
    case ENOENT:
      return "the dynamic loader of glibc is not in this image";
    case EACCES:
    case EPERM:
      return "this system does not run programs from memory";
    default:
      return errno_text(errno_value);
  }
}

/// Why nobody may execute what is at a path; empty: somebody may.
std::string why_never_executed(const std::string& path) {
  struct stat status = {};
  if (posix::stat(path.c_str(), &status) != 0) return {};
  if (S_ISDIR(status.st_mode)) return "is a directory";
  return (status.st_mode & 0111) == 0 ? "is not executable: chmod +x it" : "";
}

std::string why_access_denied(const std::string& path, uid_t uid) {
  if (const std::string why = why_never_executed(path); !why.empty()) return "it " + why;
  const std::string interpreter = read_first_line(path).interpreter();
  if (const std::string why = why_never_executed(interpreter); !why.empty())
    return fmt::format("its first line names {}, which {}", interpreter, why);
  return fmt::format(
      "uid {} may not execute it{}, by its mode, a directory's above it, or a mount with noexec",
      uid,
      interpreter.empty() ? "" : fmt::format(" or {}, which its first line names", interpreter));
}

std::string why_not_a_program(const std::string& path) {
  const FirstLine line = read_first_line(path);
  if (line.byte_order_mark) return line.complaint();
  return "it is neither a script with a #! line nor a program for this machine's processor";
}

/// The program's path as seen from here; the child looks for it in its own working directory.
std::string path_of(const SpawnRequest& request) {
  const std::string& name =
      request.executable.empty() && !request.argv.empty() ? request.argv[0] : request.executable;
  if (request.directory.empty() || name.find('/') == std::string::npos) return name;
  return join_path(request.directory, name.starts_with("./") ? name.substr(2) : name);
}

/// As the kernel counts it: each string with its final NUL, and a pointer to it.
std::size_t size_in_memory(const SpawnRequest& request) {
  std::size_t size = 0;
  for (const auto* strings : {&request.argv, &request.environment}) {
    for (const std::string& string : *strings) size += string.size() + 1 + sizeof(char*);
  }
  return size;
}

std::string why_exec_failed(int errno_value, const SpawnRequest& request) {
  const std::string path = path_of(request);
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
      return why_not_found(path);
    case EACCES:
      return why_access_denied(path, request.user ? request.user->uid : ::geteuid());
    case ENOEXEC:
      return why_not_a_program(path);
    case E2BIG:
      return fmt::format(
          "{} of arguments and variables: the kernel takes 128 KiB in one string, and in all a "
          "quarter of the stack limit, at most 6 MB",
          human_bytes(size_in_memory(request)));
    case ETXTBSY:
      return "somebody has it open for writing";
    default:
      return errno_text(errno_value);
  }
}

std::string_view limit_behind(int errno_value) {
  switch (errno_value) {
    case EAGAIN:
      return "; the limit of processes (pids.max, RLIMIT_NPROC) is reached";
    case EMFILE:
      return "; trainit's limit of open files (RLIMIT_NOFILE) is reached: each worker takes three";
    case ENFILE:
      return "; this machine has no room for more open files (fs.file-max) or for more pipes of "
             "this user (fs.pipe-user-pages-hard)";
    default:
      return "";
  }
}

std::string stage_sentence(const SpawnError& error, const SpawnRequest& request) {
  const std::string reason = errno_text(error.errno_value);
  switch (error.stage) {
    case SpawnStage::kPipes:
      return fmt::format("cannot make the pipes for its output: {}{}", reason,
                         limit_behind(error.errno_value));
    case SpawnStage::kFork:
      return fmt::format("cannot start another process: {}{}", reason,
                         limit_behind(error.errno_value));
    case SpawnStage::kGroup:
      return fmt::format("cannot make a process group: {}", reason);
    case SpawnStage::kTerminal:
      return fmt::format("cannot give the terminal away: {}", reason);
    case SpawnStage::kStdio:
      return fmt::format("cannot place stdin, stdout and stderr: {}", reason);
    case SpawnStage::kAffinity:
      return fmt::format("cannot bind to its CPUs: {}", reason);
    case SpawnStage::kUser:
      return fmt::format(
          "cannot become uid {} gid {}: {}{}", request.user ? request.user->uid : 0,
          request.user ? request.user->gid : 0, reason,
          error.errno_value == EPERM ? "; only root can, so trainit has to start as root" : "");
    case SpawnStage::kDirectory:
      return fmt::format("cannot enter the working directory {}: {}", request.directory, reason);
    case SpawnStage::kExec:
      break;
  }
  if (request.executable_fd >= 0) return why_exec_from_memory_failed(error.errno_value);
  return why_exec_failed(error.errno_value, request);
}

}  // namespace

std::string why_exec_fails(int errno_value, const std::string& path) {
  SpawnRequest request;
  request.executable = path;
  return why_exec_failed(errno_value, request);
}

std::string describe(const SpawnError& error, const SpawnRequest& request) {
  return fmt::format("cannot run {}: {}", path_of(request), stage_sentence(error, request));
}

}  // namespace trainit::sys
