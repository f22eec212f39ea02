#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "diagnose/verdict.h"

/// Whether a job whose workers failed begins once more. Values only.
namespace trainit::diagnose {

struct RestartLimits {
  int most = 0;                    ///< restarts, of the whole job
  std::set<int> never_after = {};  ///< exit codes by which a worker says that it is of no use
  std::chrono::milliseconds min_uptime{0};  ///< workers that failed sooner fail again; 0: may be
  std::chrono::milliseconds delay{1'000};   ///< before the first restart; it doubles with each
};

/// Before a restart nobody waits longer, or the first time as long as `RestartLimits::delay`.
inline constexpr std::chrono::milliseconds kLongestDelay{60'000};

struct RestartChoice {
  std::optional<std::chrono::milliseconds> delay;  ///< until then; nothing: the job is over
  std::string why_not;  ///< for `not_restarted`; empty: restarts were not asked for
};

/// The line of a verdict that says so: "not restarted: a stop was asked for".
std::string not_restarted(std::string_view why);
bool is_not_restarted(std::string_view line);

/// What to do about workers that failed after `restarts` of the job. There is no restart of a job
/// that somebody stopped, of which a host is lost or could not start its workers, or of which
/// processes are left.
RestartChoice choose_restart(const RestartLimits& limits, int restarts,
                             std::span<const HostEnd> ends, std::span<const LostHost> lost = {});

}  // namespace trainit::diagnose
