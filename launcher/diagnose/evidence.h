#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diagnose/error_text.h"
#include "hardware/xid.h"
#include "sys/event_loop.h"
#include "sys/exit_status.h"
#include "sys/process.h"

/// Why a job failed, from what is known of its workers. Takes values only: it knows no log, no
/// process and no clock.
namespace trainit::diagnose {

/// What is known of one worker that did not end with 0.
struct Evidence {
  std::string host;
  int rank = 0;
  sys::ExitStatus status;
  std::optional<sys::SpawnError> spawn_error;
  std::string spawn_text;           ///< the sentence that goes with spawn_error
  bool stopped_by_us = false;       ///< it ended after we had told it to
  bool killed_by_us = false;        ///< it ended after we had sent SIGKILL
  sys::TimePoint told_at;           ///< when we told it to; the epoch: never
  bool oom = false;                 ///< the kernel's OOM killer took a process of it
  bool oom_ruled_out = false;       ///< the kernel counted no such kill
  std::uint64_t memory_limit = 0;   ///< bytes that the container may use; 0: not known, or no limit
  std::uint64_t shared_memory = 0;  ///< bytes of /dev/shm; 0: not known
  std::vector<int> gpus;            ///< that it uses, as a CUDA program of this job numbers them
  std::optional<hardware::GpuFault> gpu_fault;  ///< what failed under it
  std::optional<ErrorText> error;               ///< its own words
  sys::Duration after{};                        ///< from its start to its end
  sys::TimePoint first_error_at, exited_at;     ///< the epoch: not known
};

/// How near to the root a worker's end is; smaller is nearer.
enum class CauseClass {
  kExecFailure,
  kOutOfMemory,
  kGpuFault,
  kForeignSignal,
  kException,
  kCommunication,
  kStopped
};

struct FirstCause {
  const Evidence* evidence = nullptr;  ///< null when no worker is the cause
  CauseClass kind = CauseClass::kStopped;
  std::vector<const Evidence*> consequences;  ///< the others that failed, nearest first
  /// One of them, on another host, that may have been first as well, as far as the clocks of the
  /// two hosts are known; null: none.
  const Evidence* rival = nullptr;
};

/// When its error came, or its end, if it has none or went on after it.
sys::TimePoint failed_at(const Evidence& evidence);

/// True when SIGKILL ended it, and not we had sent that. Who ends with its code, 137, may have sent
/// it to what it ran because we told it to stop.
bool killed_from_outside(const Evidence& evidence);

/// True when a signal of ours may be what ended it: we had told it to stop, and a signal ended it,
/// but not as a crash, nor as SIGKILL before we had sent any.
bool may_be_ended_by_us(const Evidence& evidence);

/// Ranks what was gathered: exec failure, OOM, a GPU that failed, foreign signal, exception, then
/// errors of communication; of GPUs those last that only had an error on a link; within a class the
/// earliest failure (`failed_at`), then the earliest exit, then the lowest rank. The evidence must
/// outlive the result, which points at it.
///
/// What we stopped is no cause, with three exceptions, because a victim may die before the worker
/// that failed: its last words were an error, and came before we told it to stop; the kernel had
/// taken memory back from it; or a SIGKILL that is not ours ended it within 100 ms. And where only
/// errors of communication are left, a worker whose GPU had failed, or that raised, crashed or was
/// killed from outside while it was being stopped, explains them better. Workers that ended with 0
/// are passed over. Times of different hosts are by one clock, but for `clock_error`.
FirstCause decide(std::span<const Evidence* const> gathered, sys::Duration clock_error = {});
FirstCause decide(std::span<const Evidence> gathered);

/// Whose end counts when nobody is the cause because all were told to stop, with `stop_signal`: the
/// first by rank that failed at it by itself and was not ended by a signal of ours, else the first
/// that did not end with 0. Null when all did.
const Evidence* worst_after_stop(std::span<const Evidence* const> gathered, int stop_signal);

/// Finds the workers that the kernel's OOM killer took a process of, and marks them; `kills` is how
/// many it took while the job ran, or nothing when it does not count. A worker that SIGKILL ended
/// and not we is one. If there is none, the kernel took a child, perhaps a data loader, and the
/// worker whose own error came first is the one, rather than one that only missed a peer.
void attribute_oom_kills(std::span<Evidence> gathered, std::optional<std::int64_t> kills);

/// Finds the workers whose GPU failed under them, and says how: the hardware or the driver did, by
/// its own account, while the worker lived or up to 2 s later. Where the worker's own error does
/// not speak of a GPU, it must have been in the minute before its end: a link that had an error
/// hours ago does not explain it. What a program itself may have caused explains nothing here.
void attribute_gpu_faults(std::span<Evidence> gathered, std::span<const hardware::GpuFault> faults);

/// Whether a message has to do with a GPU: it names CUDA, NCCL or one of their libraries.
bool speaks_of_gpu(std::string_view message);

}  // namespace trainit::diagnose
