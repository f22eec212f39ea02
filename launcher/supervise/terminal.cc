#include "supervise/terminal.h"

#include <signal.h>
#include <unistd.h>

#include "sys/posix.h"

namespace trainit::supervise {

void Terminal::look() {
  ours_ = posix::isatty(STDIN_FILENO) == 1 && posix::tcgetpgrp(STDIN_FILENO) == ::getpgrp();
}

bool Terminal::give_to(pid_t group) const {
  return ours_ && posix::tcgetpgrp(STDIN_FILENO) == ::getpgrp() &&
         posix::tcsetpgrp(STDIN_FILENO, group) == 0;
}

void Terminal::take_back_from(pid_t group) const {
  if (!ours_ || posix::tcgetpgrp(STDIN_FILENO) != group) return;
  // From the background this raises SIGTTOU, which is blocked, and so it does not stop us.
  posix::tcsetpgrp(STDIN_FILENO, ::getpgrp());
}

bool Terminal::suspend_ourselves(int signal) {
  if (::getpid() == 1 || ::getsid(0) == ::getpid()) return false;
  // Pending until it is let through; the kernel drops it when our group is orphaned, so that nobody
  // could continue it.
  posix::kill(0, signal);
  sigset_t suspend;
  sigemptyset(&suspend);
  sigaddset(&suspend, signal);
  posix::sigprocmask(SIG_UNBLOCK, &suspend, nullptr);
  posix::sigprocmask(SIG_BLOCK, &suspend, nullptr);
  return true;
}

}  // namespace trainit::supervise
