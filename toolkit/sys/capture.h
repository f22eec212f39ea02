#pragma once

#include <functional>
#include <string>
#include <utility>

#include "sys/process.h"
#include "sys/signals.h"
#include "sys/unique_fd.h"
#include "trainit/result.h"

/// Short-lived helpers, which are run to their end for what they say. For the time before the first
/// worker: only they are reaped.
///
/// Errors: the helper could not be started, what it said is longer than 1 MiB, it did not end with
/// 0, or our patience ended: then it was killed, and one that a driver keeps from dying is left for
/// the reaper.
namespace trainit::sys {

/// How long to wait for a helper, and the signals that end the wait before that; they stay pending.
struct Patience {
  Patience(int ms, StopSignals signals = usual_stop_signals())
      : milliseconds(ms), stops(std::move(signals)) {}

  int milliseconds;
  StopSignals stops;
};

/// Runs a program and returns its stdout. `stdout_fd` is not used, and nothing is passed on: one
/// that is left behind must not hold what our caller waits for.
Result<std::string> run_and_capture(SpawnRequest request, const Patience& patience);

/// What a helper said, also of one that came to no good end.
struct Heard {
  std::string text;
  Result<void> end;     ///< the error is that of run_and_capture
  bool in_time = true;  ///< false: our patience ended, and not by a signal
};
/// The same for a helper that says things on its way.
Heard run_and_hear(SpawnRequest request, const Patience& patience);

/// Runs `code` in a child that is forked from us and returns what it wrote to `output`: for a call
/// from which a driver may never let us return. Where we have threads, `code` may do only what is
/// async-signal-safe. `name` is for errors.
Result<std::string> run_forked(const std::string& name,
                               const std::function<void(BorrowedFd output)>& code,
                               const Patience& patience);

}  // namespace trainit::sys
