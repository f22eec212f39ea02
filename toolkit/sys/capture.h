#pragma once

#include <functional>
#include <string>

#include "sys/process.h"
#include "sys/unique_fd.h"
#include "trainit/result.h"

/// Short-lived helpers, which are run to their end for what they say. For the time before the first
/// worker: only they are reaped.
///
/// Errors: the helper could not be started, what it said is longer than 1 MiB, it did not end with
/// 0, or `deadline_ms` passed or a stop signal came: then it was killed, and one that a driver
/// keeps from dying is left for the reaper.
namespace trainit::sys {

/// Runs a program and returns its stdout. `stdout_fd` is not used.
Result<std::string> run_and_capture(SpawnRequest request, int deadline_ms);

/// Runs `code` in a child that is forked from us and returns what it wrote to `output`: for a call
/// from which a driver may never let us return. Where we have threads, `code` may do only what is
/// async-signal-safe. `name` is for errors.
Result<std::string> run_forked(const std::string& name,
                               const std::function<void(BorrowedFd output)>& code, int deadline_ms);

}  // namespace trainit::sys
