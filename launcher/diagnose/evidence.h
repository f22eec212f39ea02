#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "diagnose/error_text.h"
#include "sys/event_loop.h"
#include "sys/exit_status.h"
#include "sys/process.h"

/// Why a job failed, from what is known of its workers. Takes values only: it knows no log, no process
/// and no clock.
namespace trainit::diagnose {

/// What is known of one worker that did not end with 0.
struct Evidence {
  std::string host;
  int rank = 0;
  sys::ExitStatus status;
  std::optional<sys::SpawnError> spawn_error;
  std::string spawn_text;      ///< the sentence that goes with spawn_error
  bool stopped_by_us = false;  ///< it ended after we had told it to: never a cause
  bool oom = false;            ///< the kernel's OOM killer took a process of it
  std::optional<ErrorText> error;  ///< its own words
  sys::Duration after{};       ///< from its start to its end
  sys::TimePoint first_error_at{}, exited_at{};
};

/// How near to the root a worker's end is; smaller is nearer.
enum class CauseClass { kExecFailure, kOutOfMemory, kForeignSignal, kException, kCommunication, kStopped };

struct FirstCause {
  const Evidence* evidence = nullptr;  ///< null when nobody failed by itself
  CauseClass kind = CauseClass::kStopped;
  std::vector<const Evidence*> consequences;  ///< the others that failed, nearest first
};

/// Ranks what was gathered: exec failure, OOM, foreign signal, exception, then errors of communication;
/// within a class the earliest error line, then the earliest exit, then the lowest rank.
FirstCause decide(std::span<const Evidence> gathered);

/// "algo-2 rank 5: ValueError: learning rate must be positive (train.py:42, exit code 1 after 48 s)":
/// the first line of the failure file and of the log's "first cause".
std::string summarize(const Evidence& evidence);

/// The failure file: at most 1,024 bytes of UTF-8 with the summary in the first 200, then what the
/// worker itself printed, its end rather than its beginning when it is too long.
std::string failure_text(const FirstCause& cause);

}  // namespace trainit::diagnose
