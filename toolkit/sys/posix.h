#pragma once

/// The system calls that this project makes once workers run, by name. Code calls `posix::read`, so
/// that a build for tests can put faults in their place: it defines TRAINIT_POSIX_HEADER as a
/// header that declares the same names.
#ifdef TRAINIT_POSIX_HEADER
#include TRAINIT_POSIX_HEADER
#else

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace trainit::posix {
using ::accept4;
using ::access;
using ::chdir;
using ::close;
using ::close_range;
using ::connect;
using ::epoll_create1;
using ::epoll_ctl;
using ::epoll_wait;
using ::fchown;
using ::fcntl;
using ::fdopendir;
using ::fork;
using ::fstat;
using ::fsync;
using ::getpeername;
using ::getpgid;
using ::getsockopt;
using ::ioctl;
using ::isatty;
using ::kill;
using ::link;
using ::linkat;
using ::lstat;
using ::mkdir;
using ::mkdtemp;
using ::open;
using ::openat;
using ::pipe2;
using ::poll;
using ::prctl;
using ::read;
using ::readdir;
using ::readlink;
using ::recv;
using ::rename;
using ::renameat;
using ::renameat2;
using ::rmdir;
using ::send;
using ::setpgid;
using ::setsockopt;
using ::shutdown;
using ::signalfd;
using ::sigprocmask;
using ::sigtimedwait;
using ::socket;
using ::stat;
using ::tcgetpgrp;
using ::tcsetpgrp;
using ::unlink;
using ::unlinkat;
using ::waitid;
using ::write;

/// The raw call: only it gives the resource usage together with WNOHANG for any child.
inline int waitid(idtype_t type, id_t id, siginfo_t* info, int options, rusage* usage) {
  return static_cast<int>(::syscall(SYS_waitid, type, id, info, options, usage));
}
}  // namespace trainit::posix

#endif
