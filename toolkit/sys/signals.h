#pragma once

#include <signal.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sys/unique_fd.h"
#include "trainit/result.h"

namespace trainit::sys {

/// "SIGTERM", "SIGRTMIN+2"; "signal 99" for a number that has no name.
std::string signal_name(int signal);

/// "segmentation fault", "CPU time limit": what the signal means, for people; empty when the name
/// says it all.
std::string_view signal_meaning(int signal);

/// The number of "TERM", "SIGTERM", "15" or "RTMIN+2"; nothing when there is no such signal.
std::optional<int> parse_signal(std::string_view text);

/// Whether a signal can be taken for another when it comes to us: it arrives, and is not SIGCHLD,
/// by which we know of our children's ends.
bool can_be_rewritten(int signal);

/// The signal mask and the dispositions that this process got from its caller, so that its children
/// can be given the same.
struct InheritedSignals {
  sigset_t mask;
  sigset_t ignored;  ///< signals that were SIG_IGN
  sigset_t dropped;  ///< signals that we ignore, and that were not
};

/// From here on signals are data: blocks every signal that can be blocked except the synchronous
/// faults, resets what the caller ignored to the default (so that it arrives), and returns what was
/// there before. Called once, first thing in main.
InheritedSignals take_over_signals();

/// From here on the kernel drops this signal when it comes to us; our children do not inherit that.
void drop_signal(InheritedSignals& inherited, int signal);

/// In a child between fork and exec: gives it the caller's mask and dispositions.
/// Async-signal-safe.
void restore_signals(const InheritedSignals& inherited);

/// A signal that came. `sender` is 0 when it was the kernel.
struct Signal {
  int number;
  pid_t sender;
};
/// A close-on-exec signalfd for every blocked signal: poll it, never read it. Reading it may fail
/// for ever (a security module, say), and then nobody would learn that a child has ended.
Result<UniqueFd> open_signal_fd();
/// The next blocked signal that has come, without waiting.
std::optional<Signal> take_signal();

/// Signals that ask us to stop.
using StopSignals = std::vector<int>;
/// SIGTERM and SIGINT, as long as nobody says otherwise.
StopSignals usual_stop_signals();

/// The same for these alone, for a wait that a stop has to end. Who polls it and does not read it
/// leaves the signal pending. It never becomes readable while they are not blocked.
Result<UniqueFd> open_stop_fd(const StopSignals& stops);
/// The first of these that has arrived and waits, blocked.
std::optional<int> pending_signal(const StopSignals& stops);

}  // namespace trainit::sys
