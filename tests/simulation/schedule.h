#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "diagnose/restart.h"
#include "story.h"
#include "timeline.h"

/// What happens to the hosts of one job, all of it as a seed has it.
namespace trainit::simulation {

struct Window {
  Micros from, to;
};
struct Cut : Window {
  bool resets;  ///< the connection does not come through
};

/// What is to happen on one host in one round.
struct Part {
  std::vector<Story> workers;
  Micros set_up = 0;              ///< from the agreement to the workers' start
  bool trouble_after = false;     ///< when all have agreed: it cannot start its workers
  Micros clears = 0;              ///< after the delay, until nothing is left of the last round
  bool trouble_clearing = false;  ///< then it is not ready, and cannot go on
};

/// What is to happen to one host, with its part in the first round. Times of the schedule are the
/// simulation's own.
struct HostSchedule : Part {
  Micros starts = 0;
  bool comes = true;
  Micros skew = 0;                          ///< of its clock
  int drift = 0;                            ///< parts per million
  std::optional<Micros> trouble_at;         ///< before the agreement, since its start
  bool differs = false;                     ///< in what has to be the same everywhere
  std::vector<Micros> stops;                ///< SIGTERM comes
  std::vector<Window> freezes;              ///< its launcher does not run
  bool clock_freezes = false;               ///< and its clock stands still
  std::vector<Cut> cuts;                    ///< from the others
  int loss = 0;                             ///< percent of what it sends or is sent
  std::optional<Micros> killed, powerless;  ///< its launcher dies; all of it does
};

/// What befalls a host at a time that is known when a later round is.
struct Blow {
  enum class Kind {
    kStop,
    kKilled,     ///< its launcher dies
    kPowerless,  ///< all of it does
    kCutOff,     ///< for good
    kReset,      ///< cut for a while, and its connections do not come through
    kCut,        ///< too, but they do
    kFrozen,     ///< its launcher does not run for a while
  } kind;
  int host;
  bool before;   ///< since the last round was over; else: since all were ready for this one
  Micros after;  ///< so long
  Micros lasts;

  bool has_to_be_survived() const {
    return kind == Kind::kCut || (kind == Kind::kFrozen && lasts < 5 * kSecond);
  }
};

/// A round that comes if the one before it fails.
struct LaterRound {
  std::vector<Part> hosts;
  std::vector<Blow> blows;
  std::optional<Micros> store_ends;      ///< since the leader began
  int culprit = -1, culprit_worker = 0;  ///< who fails in it; -1: nobody
};

enum class Theme {
  kWell,     ///< nothing but what has to be survived
  kFailure,  ///< one worker fails
  kStop,     ///< SIGTERM at one host or at all
  kLost,     ///< one host goes
  kSetUp,    ///< one cannot start its workers
  kDiffers,  ///< one is not like the others
  kMissing,  ///< one never comes
  kStore,    ///< the store ends
  kChaos,    ///< all of it
};

struct Schedule {
  std::uint64_t seed = 0;
  Theme theme = Theme::kWell;
  std::vector<HostSchedule> hosts;
  int culprit = 0, culprit_worker = 0;  ///< whom the theme is about
  bool quiet = true;                    ///< no network trouble and no freeze but for the theme's
  bool stops_all = false;
  Micros meet = 0;
  Micros grace = 0, stop_leaders = 0, stop_groups = 0;
  std::optional<Micros> store_ends;  ///< since the leader began
  Micros base_delay = 0;
  diagnose::RestartLimits restarts;
  std::vector<LaterRound> later;  ///< as many as there may be restarts

  const Part& part(int host, int round) const {
    const auto index = static_cast<std::size_t>(host);
    const LaterRound* that = later_round(round);
    return that == nullptr ? hosts[index] : that->hosts[index];
  }
  std::optional<Micros> end_of_store(int round) const {
    const LaterRound* that = later_round(round);
    return that == nullptr ? store_ends : that->store_ends;
  }
  /// Null: it is the first. Of one that must not be, the last.
  const LaterRound* later_round(int round) const {
    const std::size_t last = std::min(static_cast<std::size_t>(round), later.size());
    return last == 0 ? nullptr : &later[last - 1];
  }

  /// Workers come to the rendezvous store, as they do in some jobs: each takes more time to live
  /// through.
  bool joins() const { return seed % 8 == 3; }

  static Schedule of(std::uint64_t seed);
};

/// Makes up whether this job may begin again, and what happens then. `job`: how long its workers
/// live in the first round.
void draw_restarts(Schedule& schedule, Micros job);

}  // namespace trainit::simulation
