#include "faulty_posix.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace trainit::posix {
namespace {

constexpr char kChild[] = "child/";

/// What the two variables say, and how far we are.
struct Fault {
  char call[32] = {};
  int at = 0, error = 0, count = 0;
  bool lasts = false, partial = false;
  bool child = false;  ///< this process was forked from the one that the variables were meant for

  Fault() {
    char after = ' ';
    const char* text = std::getenv("TRAINIT_FAULT");
    if (text != nullptr && std::sscanf(text, "%31s %d%c%d", call, &at, &after, &error) < 4)
      std::abort();
    lasts = after == '+';
  }

  bool hits(const char* name) {
    const std::size_t prefix = child ? std::strlen(kChild) : 0;
    if (std::strncmp(call, kChild, prefix) != 0 || std::strcmp(name, call + prefix) != 0)
      return false;
    ++count;
    return count == at || (lasts && count > at);
  }
};

Fault& fault() {
  static Fault only;
  return only;
}

/// Opened each time: the launcher takes a descriptor that is open when it starts for its caller's.
void note(const char* call, const char* detail, bool hit) {
  const char* path = std::getenv("TRAINIT_FAULT_LOG");
  const int log =
      path == nullptr ? -1 : ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log < 0) return;
  ::dprintf(log, "%s%s %s%s\n", fault().child ? kChild : "", call, detail, hit ? " !" : "");
  ::close(log);
}

/// Whether this call is to fail; errno is set then.
bool fails(const char* call, const char* detail = "") {
  const bool hit = fault().hits(call);
  note(call, detail, hit);
  fault().partial = hit && fault().error == 0;
  if (hit) errno = fault().error;
  return hit && fault().error != 0;
}

bool fails(const char* call, int detail) {
  char text[16];
  std::snprintf(text, sizeof text, "%d", detail);
  return fails(call, text);
}

std::size_t part_of(std::size_t size) { return fault().partial ? (size + 1) / 2 : size; }

}  // namespace

int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  return fails("accept4", fd) ? -1 : ::accept4(fd, address, size, flags);
}

int access(const char* path, int mode) { return fails("access", path) ? -1 : ::access(path, mode); }

int chdir(const char* path) { return fails("chdir", path) ? -1 : ::chdir(path); }

int close(int fd) {
  if (!fails("close", fd)) return ::close(fd);
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

int close_range(unsigned first, unsigned last, int flags) {
  return fails("close_range", static_cast<int>(first)) ? -1 : ::close_range(first, last, flags);
}

int connect(int fd, const sockaddr* address, socklen_t size) {
  return fails("connect", fd) ? -1 : ::connect(fd, address, size);
}

int epoll_create1(int flags) { return fails("epoll_create1") ? -1 : ::epoll_create1(flags); }

int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) {
  return fails("epoll_ctl", fd) ? -1 : ::epoll_ctl(epoll, operation, fd, event);
}

int epoll_wait(int epoll, epoll_event* events, int size, int timeout) {
  return fails("epoll_wait") ? -1 : ::epoll_wait(epoll, events, size, timeout);
}

int fchown(int fd, uid_t user, gid_t group) {
  return fails("fchown", fd) ? -1 : ::fchown(fd, user, group);
}

int fcntl(int fd, int command, int argument) {
  return fails("fcntl", fd) ? -1 : ::fcntl(fd, command, argument);
}

int fcntl(int fd, int command, struct flock* lock) {
  return fails("fcntl", fd) ? -1 : ::fcntl(fd, command, lock);
}

DIR* fdopendir(int fd) { return fails("fdopendir", fd) ? nullptr : ::fdopendir(fd); }

pid_t fork() {
  const pid_t child = fails("fork") ? -1 : ::fork();
  if (child == 0) {
    fault().child = true;
    fault().count = 0;
  }
  return child;
}

int fstat(int fd, struct stat* status) { return fails("fstat", fd) ? -1 : ::fstat(fd, status); }

int fsync(int fd) { return fails("fsync", fd) ? -1 : ::fsync(fd); }

pid_t getpgid(pid_t pid) { return fails("getpgid", pid) ? -1 : ::getpgid(pid); }

int getpeername(int fd, sockaddr* address, socklen_t* size) {
  return fails("getpeername", fd) ? -1 : ::getpeername(fd, address, size);
}

int getsockopt(int fd, int level, int option, void* value, socklen_t* size) {
  return fails("getsockopt", fd) ? -1 : ::getsockopt(fd, level, option, value, size);
}

int ioctl(int fd, unsigned long request, void* argument) {
  return fails("ioctl", fd) ? -1 : ::ioctl(fd, request, argument);
}

int isatty(int fd) { return fails("isatty", fd) ? -1 : ::isatty(fd); }

int kill(pid_t pid, int signal) { return fails("kill", pid) ? -1 : ::kill(pid, signal); }

int link(const char* from, const char* to) { return fails("link", from) ? -1 : ::link(from, to); }

int linkat(int from_fd, const char* from, int to_fd, const char* to, int flags) {
  return fails("linkat", to) ? -1 : ::linkat(from_fd, from, to_fd, to, flags);
}

int lstat(const char* path, struct stat* status) {
  return fails("lstat", path) ? -1 : ::lstat(path, status);
}

int mkdir(const char* path, mode_t mode) { return fails("mkdir", path) ? -1 : ::mkdir(path, mode); }

char* mkdtemp(char* path) { return fails("mkdtemp", path) ? nullptr : ::mkdtemp(path); }

int open(const char* path, int flags, mode_t mode) {
  return fails("open", path) ? -1 : ::open(path, flags, mode);
}

int openat(int directory, const char* path, int flags, mode_t mode) {
  return fails("openat", path) ? -1 : ::openat(directory, path, flags, mode);
}

int pipe2(int* ends, int flags) { return fails("pipe2") ? -1 : ::pipe2(ends, flags); }

int poll(pollfd* entries, nfds_t size, int timeout) {
  return fails("poll") ? -1 : ::poll(entries, size, timeout);
}

int prctl(int option, unsigned long argument) {
  return fails("prctl") ? -1 : ::prctl(option, argument);
}

ssize_t read(int fd, void* buffer, size_t size) {
  if (fails("read", fd)) return -1;
  return ::read(fd, buffer, part_of(size));
}

dirent* readdir(DIR* directory) { return fails("readdir") ? nullptr : ::readdir(directory); }

ssize_t readlink(const char* path, char* buffer, size_t size) {
  return fails("readlink", path) ? -1 : ::readlink(path, buffer, size);
}

ssize_t recv(int fd, void* buffer, size_t size, int flags) {
  if (fails("recv", fd)) return -1;
  return ::recv(fd, buffer, part_of(size), flags);
}

int rename(const char* from, const char* to) {
  return fails("rename", from) ? -1 : ::rename(from, to);
}

int renameat(int from_fd, const char* from, int to_fd, const char* to) {
  return fails("renameat", from) ? -1 : ::renameat(from_fd, from, to_fd, to);
}

int renameat2(int from_fd, const char* from, int to_fd, const char* to, unsigned flags) {
  return fails("renameat2", from) ? -1 : ::renameat2(from_fd, from, to_fd, to, flags);
}

int rmdir(const char* path) { return fails("rmdir", path) ? -1 : ::rmdir(path); }

ssize_t send(int fd, const void* buffer, size_t size, int flags) {
  if (fails("send", fd)) return -1;
  return ::send(fd, buffer, part_of(size), flags);
}

int setpgid(pid_t pid, pid_t group) { return fails("setpgid", pid) ? -1 : ::setpgid(pid, group); }

int setsockopt(int fd, int level, int option, const void* value, socklen_t size) {
  return fails("setsockopt", fd) ? -1 : ::setsockopt(fd, level, option, value, size);
}

int shutdown(int fd, int how) { return fails("shutdown", fd) ? -1 : ::shutdown(fd, how); }

int signalfd(int fd, const sigset_t* signals, int flags) {
  return fails("signalfd", fd) ? -1 : ::signalfd(fd, signals, flags);
}

int sigprocmask(int how, const sigset_t* signals, sigset_t* before) {
  return fails("sigprocmask", how) ? -1 : ::sigprocmask(how, signals, before);
}

int sigtimedwait(const sigset_t* signals, siginfo_t* info, const timespec* timeout) {
  return fails("sigtimedwait") ? -1 : ::sigtimedwait(signals, info, timeout);
}

int socket(int family, int type, int protocol) {
  return fails("socket", family) ? -1 : ::socket(family, type, protocol);
}

int stat(const char* path, struct ::stat* status) {
  return fails("stat", path) ? -1 : ::stat(path, status);
}

pid_t tcgetpgrp(int fd) { return fails("tcgetpgrp", fd) ? -1 : ::tcgetpgrp(fd); }

int tcsetpgrp(int fd, pid_t group) { return fails("tcsetpgrp", fd) ? -1 : ::tcsetpgrp(fd, group); }

int unlink(const char* path) { return fails("unlink", path) ? -1 : ::unlink(path); }

int unlinkat(int directory, const char* path, int flags) {
  return fails("unlinkat", path) ? -1 : ::unlinkat(directory, path, flags);
}

int waitid(idtype_t type, id_t id, siginfo_t* info, int options) {
  return fails("waitid") ? -1 : ::waitid(type, id, info, options);
}

int waitid(idtype_t type, id_t id, siginfo_t* info, int options, rusage* usage) {
  return fails("waitid") ? -1
                         : static_cast<int>(::syscall(SYS_waitid, type, id, info, options, usage));
}

ssize_t write(int fd, const void* buffer, size_t size) {
  if (fails("write", fd)) return -1;
  return ::write(fd, buffer, part_of(size));
}

}  // namespace trainit::posix
