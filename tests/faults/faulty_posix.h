#pragma once

/// Stands for toolkit/sys/posix.h in a launcher of the tests: the same names, of which one call can
/// be made to fail. Two variables of the environment say what:
///
///   TRAINIT_FAULT      "CALL N ERROR": the N-th call of this name fails with this errno value;
///   "N+"
///                      means that one and all after it. ERROR 0: it moves a part of the bytes
///                      only.
///   TRAINIT_FAULT_LOG  a file that gets the name of each call, one a line, with "!" after one that
///                      failed for us.
///
/// A forked child counts its own calls, whose names begin with "child/" in both.
///
/// A failed call had no effect, except that a failed close has closed, as the kernel's has.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace trainit::posix {

int accept4(int fd, sockaddr* address, socklen_t* size, int flags);
int access(const char* path, int mode);
int chdir(const char* path);
int close(int fd);
int close_range(unsigned first, unsigned last, int flags);
int connect(int fd, const sockaddr* address, socklen_t size);
int epoll_create1(int flags);
int epoll_ctl(int epoll, int operation, int fd, epoll_event* event);
int epoll_wait(int epoll, epoll_event* events, int size, int timeout);
int fchown(int fd, uid_t user, gid_t group);
int fcntl(int fd, int command, int argument = 0);
int fcntl(int fd, int command, struct flock* lock);
DIR* fdopendir(int fd);
pid_t fork();
int fstat(int fd, struct stat* status);
int fsync(int fd);
pid_t getpgid(pid_t pid);
int getpeername(int fd, sockaddr* address, socklen_t* size);
int getsockopt(int fd, int level, int option, void* value, socklen_t* size);
int ioctl(int fd, unsigned long request, void* argument);
int isatty(int fd);
int kill(pid_t pid, int signal);
int link(const char* from, const char* to);
int linkat(int from_fd, const char* from, int to_fd, const char* to, int flags);
int lstat(const char* path, struct stat* status);
int mkdir(const char* path, mode_t mode);
char* mkdtemp(char* path);
int open(const char* path, int flags, mode_t mode = 0);
int openat(int directory, const char* path, int flags, mode_t mode = 0);
int pipe2(int* ends, int flags);
int poll(pollfd* entries, nfds_t size, int timeout);
int prctl(int option, unsigned long argument);
ssize_t read(int fd, void* buffer, size_t size);
dirent* readdir(DIR* directory);
ssize_t readlink(const char* path, char* buffer, size_t size);
ssize_t recv(int fd, void* buffer, size_t size, int flags);
int rename(const char* from, const char* to);
int renameat(int from_fd, const char* from, int to_fd, const char* to);
int renameat2(int from_fd, const char* from, int to_fd, const char* to, unsigned flags);
int rmdir(const char* path);
ssize_t send(int fd, const void* buffer, size_t size, int flags);
int setpgid(pid_t pid, pid_t group);
int setsockopt(int fd, int level, int option, const void* value, socklen_t size);
int shutdown(int fd, int how);
int signalfd(int fd, const sigset_t* signals, int flags);
int sigprocmask(int how, const sigset_t* signals, sigset_t* before);
int sigtimedwait(const sigset_t* signals, siginfo_t* info, const timespec* timeout);
int socket(int family, int type, int protocol);
int stat(const char* path, struct ::stat* status);
pid_t tcgetpgrp(int fd);
int tcsetpgrp(int fd, pid_t group);
int unlink(const char* path);
int unlinkat(int directory, const char* path, int flags);
int waitid(idtype_t type, id_t id, siginfo_t* info, int options);
int waitid(idtype_t type, id_t id, siginfo_t* info, int options, rusage* usage);
ssize_t write(int fd, const void* buffer, size_t size);

}  // namespace trainit::posix
