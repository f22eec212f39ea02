#include "diagnose/restart.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace trainit::diagnose {
namespace {

constexpr std::string_view kNotRestarted = "not restarted: ";

/// For how long the workers of a host ran before anything went wrong. Those that another host's
/// failure stopped before their turn came have no end either.
sys::Duration uptime_of(const HostEnd& end) {
  const bool stopped = end.stop_at != sys::TimePoint{};
  const sys::TimePoint last = stopped ? std::min(end.stop_at, end.ended_at) : end.ended_at;
  return std::max(last - end.started_at, sys::Duration::zero());
}

sys::Duration uptime_of(std::span<const HostEnd> ends) {
  sys::Duration least = sys::Duration::max();
  for (const HostEnd& end : ends) least = std::min(least, uptime_of(end));
  return least;
}

/// What in the end of this host speaks against a restart; empty: nothing.
std::string obstacle_at(const HostEnd& end, const RestartLimits& limits) {
  if (end.stop_signal != 0) return "a stop was asked for";
  if (!end.trouble.empty()) return end.host + " could not start its workers";
  if (end.stuck) {
    // Where they cannot be found, it was not even sent to them.
    return fmt::format("processes of {} are left that SIGKILL has not reached or not ended",
                       end.host);
  }
  for (const Evidence& evidence : end.evidence) {
    if (evidence.spawn_error) return fmt::format("rank {} could not be started", evidence.rank);
    if (evidence.stopped_by_us) continue;
    const int code = evidence.status.shell_code();
    if (limits.never_after.contains(code)) {
      return fmt::format("rank {} ended with code {} (--no-restart-exit-codes)", evidence.rank,
                         code);
    }
  }
  return {};
}

std::string obstacle(const RestartLimits& limits, int restarts, std::span<const HostEnd> ends,
                     std::span<const LostHost> lost) {
  if (!lost.empty()) return lost.front().host + " is lost";
  for (const HostEnd& end : ends) {
    if (std::string found = obstacle_at(end, limits); !found.empty()) return found;
  }
  if (restarts >= limits.most) {
    return limits.most == 1
               ? "it was restarted once already (--max-restarts)"
               : fmt::format("it was restarted {} times already (--max-restarts)", limits.most);
  }
  const sys::Duration uptime = uptime_of(ends);
  if (uptime < limits.min_uptime) {
    return fmt::format("the workers had run for {} only, less than {} (--min-uptime)",
                       human_seconds(sys::in_seconds(uptime)),
                       human_seconds(sys::in_seconds(limits.min_uptime)));
  }
  return {};
}

std::chrono::milliseconds delay_before(int restart, const RestartLimits& limits) {
  std::chrono::milliseconds delay = limits.delay;
  for (int number = 0; number < restart && delay < kLongestDelay; ++number)
    delay = std::min(2 * delay, kLongestDelay);
  return delay;
}

}  // namespace

RestartChoice choose_restart(const RestartLimits& limits, int restarts,
                             std::span<const HostEnd> ends, std::span<const LostHost> lost) {
  if (limits.most == 0) return {};
  std::string why_not = obstacle(limits, restarts, ends, lost);
  if (!why_not.empty()) return {std::nullopt, std::move(why_not)};
  return {delay_before(restarts, limits), {}};
}

std::string not_restarted(std::string_view why) { return std::string(kNotRestarted).append(why); }

bool is_not_restarted(std::string_view line) { return line.starts_with(kNotRestarted); }

}  // namespace trainit::diagnose
