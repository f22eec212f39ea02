#include "sys/signals.h"

#include <fmt/core.h>
#include <sys/signalfd.h>

#include <array>
#include <cerrno>

#include "base/text.h"
#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::sys {
namespace {

struct SignalInfo {
  int number;
  std::string_view name;
  std::string_view meaning;
};

constexpr SignalInfo kSignals[] = {
    {SIGHUP, "HUP", "hang-up"},
    {SIGINT, "INT", "interrupt"},
    {SIGQUIT, "QUIT", ""},
    {SIGILL, "ILL", "illegal instruction"},
    {SIGTRAP, "TRAP", ""},
    {SIGABRT, "ABRT", "abort"},
    {SIGBUS, "BUS", "bus error"},
    {SIGFPE, "FPE", "arithmetic error"},
    {SIGKILL, "KILL", ""},
    {SIGUSR1, "USR1", ""},
    {SIGSEGV, "SEGV", "segmentation fault"},
    {SIGUSR2, "USR2", ""},
    {SIGPIPE, "PIPE", "broken pipe"},
    {SIGALRM, "ALRM", "alarm clock"},
    {SIGTERM, "TERM", "termination"},
    {SIGSTKFLT, "STKFLT", ""},
    {SIGCHLD, "CHLD", ""},
    {SIGCONT, "CONT", ""},
    {SIGSTOP, "STOP", ""},
    {SIGTSTP, "TSTP", ""},
    {SIGTTIN, "TTIN", ""},
    {SIGTTOU, "TTOU", ""},
    {SIGURG, "URG", ""},
    {SIGXCPU, "XCPU", "CPU time limit"},
    {SIGXFSZ, "XFSZ", "file size limit"},
    {SIGVTALRM, "VTALRM", ""},
    {SIGPROF, "PROF", ""},
    {SIGWINCH, "WINCH", ""},
    {SIGIO, "IO", ""},
    {SIGPWR, "PWR", "power failure"},
    {SIGSYS, "SYS", "bad system call"},
};

const SignalInfo* find_signal(int number) {
  for (const SignalInfo& signal : kSignals) {
    if (signal.number == number) return &signal;
  }
  return nullptr;
}

/// A fault that the kernel raises in the thread at fault; blocked, it would kill us without a word.
bool is_synchronous_fault(int signal) {
  return signal == SIGILL || signal == SIGTRAP || signal == SIGBUS || signal == SIGFPE ||
         signal == SIGSEGV || signal == SIGSYS;
}

bool can_be_taken_over(int signal) {
  return signal != SIGKILL && signal != SIGSTOP && !is_synchronous_fault(signal);
}

sigset_t blocked_signals() {
  sigset_t blocked;
  sigprocmask(SIG_BLOCK, nullptr, &blocked);
  return blocked;
}

Result<UniqueFd> make_signal_fd(const sigset_t& signals) {
  UniqueFd fd(posix::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail("making a signalfd: " + errno_text(errno));
  return fd;
}

}  // namespace

std::string signal_name(int signal) {
  if (const SignalInfo* info = find_signal(signal)) return fmt::format("SIG{}", info->name);
  if (signal == SIGRTMIN) return "SIGRTMIN";
  if (signal > SIGRTMIN && signal <= SIGRTMAX) return fmt::format("SIGRTMIN+{}", signal - SIGRTMIN);
  return fmt::format("signal {}", signal);
}

std::string_view signal_meaning(int signal) {
  const SignalInfo* info = find_signal(signal);
  return info == nullptr ? std::string_view() : info->meaning;
}

std::optional<int> parse_signal(std::string_view text) {
  if (const auto number = parse_number<int>(text)) {
    return *number >= 1 && *number <= SIGRTMAX ? number : std::nullopt;
  }
  if (text.starts_with("SIG")) text.remove_prefix(3);
  if (text == "RTMIN") return SIGRTMIN;
  if (text.starts_with("RTMIN+")) {
    const auto offset = parse_number<int>(text.substr(6));
    if (offset && *offset >= 0 && SIGRTMIN + *offset <= SIGRTMAX) return SIGRTMIN + *offset;
    return std::nullopt;
  }
  for (const SignalInfo& signal : kSignals) {
    if (signal.name == text) return signal.number;
  }
  return std::nullopt;
}

bool can_be_rewritten(int signal) { return can_be_taken_over(signal) && signal != SIGCHLD; }

InheritedSignals take_over_signals() {
  InheritedSignals inherited;
  sigemptyset(&inherited.ignored);
  sigemptyset(&inherited.dropped);
  struct sigaction by_default = {};
  by_default.sa_handler = SIG_DFL;
  sigset_t taken;
  sigemptyset(&taken);
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (!can_be_taken_over(signal)) continue;
    struct sigaction current = {};
    if (sigaction(signal, nullptr, &current) != 0) continue;  // glibc keeps two for itself
    sigaddset(&taken, signal);
    if (current.sa_handler != SIG_IGN) continue;
    sigaddset(&inherited.ignored, signal);
    // An ignored signal never becomes pending: a SIGCHLD ignored by our caller would never arrive.
    sigaction(signal, &by_default, nullptr);
  }
  sigprocmask(SIG_BLOCK, &taken, &inherited.mask);
  return inherited;
}

void drop_signal(InheritedSignals& inherited, int signal) {
  if (sigismember(&inherited.ignored, signal) != 1) sigaddset(&inherited.dropped, signal);
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(signal, &ignore, nullptr);
}

void restore_signals(const InheritedSignals& inherited) {
  struct sigaction ignore = {}, by_default = {};
  ignore.sa_handler = SIG_IGN;
  by_default.sa_handler = SIG_DFL;
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (sigismember(&inherited.ignored, signal) == 1) sigaction(signal, &ignore, nullptr);
    if (sigismember(&inherited.dropped, signal) == 1) sigaction(signal, &by_default, nullptr);
  }
  sigprocmask(SIG_SETMASK, &inherited.mask, nullptr);
}

Result<UniqueFd> open_signal_fd() { return make_signal_fd(blocked_signals()); }

std::optional<Signal> take_signal() {
  const sigset_t blocked = blocked_signals();
  const timespec at_once = {};
  siginfo_t info = {};
  if (posix::sigtimedwait(&blocked, &info, &at_once) < 0) return std::nullopt;
  return Signal{info.si_signo, info.si_pid};
}

StopSignals usual_stop_signals() { return {SIGTERM, SIGINT}; }

Result<UniqueFd> open_stop_fd(const StopSignals& stops) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : stops) sigaddset(&set, signal);
  return make_signal_fd(set);
}

std::optional<int> pending_signal(const StopSignals& stops) {
  sigset_t pending;
  sigpending(&pending);
  for (const int signal : stops) {
    if (sigismember(&pending, signal) == 1) return signal;
  }
  return std::nullopt;
}

}  // namespace trainit::sys
