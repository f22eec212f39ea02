#pragma once

/// The system calls that this project makes once workers run, by name. Code calls `posix::read`, so
/// that a build for tests can put faults in their place: it defines TRAINIT_POSIX_HEADER as a
/// header that declares the same names.
#ifdef TRAINIT_POSIX_HEADER
#include TRAINIT_POSIX_HEADER
#else

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace trainit::posix {
using ::close;
using ::epoll_create1;
using ::epoll_ctl;
using ::epoll_wait;
using ::fchown;
using ::fcntl;
using ::fork;
using ::fstat;
using ::fsync;
using ::isatty;
using ::kill;
using ::open;
using ::pipe2;
using ::poll;
using ::prctl;
using ::read;
using ::renameat;
using ::send;
using ::signalfd;
using ::waitid;
using ::write;
}  // namespace trainit::posix

#endif
