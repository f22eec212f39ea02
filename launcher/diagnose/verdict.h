#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "diagnose/evidence.h"

/// From how every host of a job ended to what is said of the job. Values only.
namespace trainit::diagnose {

/// Why workers were told to stop.
enum class StopReason : std::uint8_t {
  kNone,
  kPlatform,      ///< the platform asked for it
  kWorkerFailed,  ///< one of them had failed
  kStoreEnded,    ///< the store that they meet at is gone
  kHostLost,      ///< a host of theirs is
  kSetUpFailed,   ///< a host could not start its own
};

/// The part of one host, when it is over: all of it that the outcome of the job depends on.
struct HostEnd {
  std::string host;
  int host_rank = 0;
  int workers = 1;
  bool success = false;                   ///< they all ended with 0, and the store outlived them
  StopReason reason = StopReason::kNone;  ///< why they were told to stop, on whatever host it began
  int stop_signal = 0;                    ///< the platform's, on whatever host it came; 0: none did
  std::optional<sys::ExitStatus> store;   ///< the store's end, when workers still needed it
  std::optional<std::int64_t> oom_kills;
  sys::TimePoint started_at, ended_at;  ///< of the first worker, of the last one
  sys::TimePoint stop_at;               ///< when stopping began; the epoch: it did not
  bool stuck = false;                   ///< processes are left that not even SIGKILL has ended
  /// Why it could start no workers, and the exit code that goes with that; empty: it could.
  std::string trouble;
  int trouble_code = 0;
  /// The workers that did not end with 0; of many those that say most.
  std::vector<Evidence> evidence;
};

/// A host that went without a word.
struct LostHost {
  std::string host;
  int host_rank = 0;
  std::string how;  ///< "was not heard from for 9 s", "its trainit ended without a word"
  sys::TimePoint at;
  sys::Duration after{};  ///< since the workers' start
};

/// Why all hosts were told to stop, if not for a lost one: all that is known of it where nothing
/// came of how that host's part ended.
struct ToldStop {
  StopReason reason = StopReason::kNone;
  std::string host;  ///< where it began
  int signal = 0;    ///< of kPlatform
  std::string text;  ///< "rank 5 (pid 32) ended with code 1 after 48 s"; empty with kPlatform
  sys::TimePoint at;
  sys::Duration after{};  ///< since the workers' start
};

/// What every host of the job reports.
struct Verdict {
  int exit_code = 0;
  std::string failure;             ///< for the failure file; empty: success
  std::vector<std::string> lines;  ///< for the log: the first cause, its consequences
  int cause_rank = -1;             ///< of the worker that is the first cause; -1: none is
  int cause_host = -1;  ///< its host's rank: where workers have no ranks all are called 0

  bool success() const { return failure.empty() && exit_code == 0; }
  bool operator==(const Verdict&) const = default;
};

/// Of the workers that a host tells of, the `most` that say most about the cause.
std::vector<Evidence> most_telling(std::vector<Evidence> gathered, std::size_t most);

/// The verdict, and in whose hands the first cause lies.
struct Judgement {
  Verdict verdict;
  FirstCause cause;  ///< points into `ends`; without evidence when no worker is the cause
};

/// Success only when every host is there and ended with success. Else the first cause by the rules
/// of `decide`; a host that was lost, or a store that ended, explains every error of communication,
/// and whatever came after it. So does a failure that a host has `told` of and that is in none of
/// `ends`. All times are by one clock; times of different hosts are known no better than
/// `clock_error`, and where that leaves open who came first, both are named.
/// Exit code: that of the first cause; 1 for a lost host, and for a failure that is only told of.
Judgement judge(std::span<const HostEnd> ends, std::span<const LostHost> lost = {},
                sys::Duration clock_error = {}, const std::optional<ToldStop>& told = {});

}  // namespace trainit::diagnose
