#pragma once

#include <optional>
#include <vector>

#include "timeline.h"

/// What happens to the hosts of one job, all of it as a seed has it.
namespace trainit::simulation {

/// What one worker does when nobody stops it, and when somebody does.
struct Story {
  Micros lives = 0;  ///< from its start
  int code = 0, signal = 0;
  bool communication = false;  ///< what it prints when it fails says that a peer is gone
  Micros dying = 0;            ///< from its error to its end
  Micros term_takes = 0;       ///< from SIGTERM to its end; -1: it ignores it
  int term_code = 0;           ///< with which it ends then; -1: by the signal
  Micros notices = -1;         ///< a peer's failure makes it fail so much later; -1: it hangs
};

struct Window {
  Micros from, to;
};
struct Cut : Window {
  bool resets;  ///< the connection does not come through
};

/// What is to happen to one host. Times of the schedule are the simulation's own.
struct HostSchedule {
  Micros starts = 0;
  bool comes = true;
  std::vector<Story> workers;
  Micros skew = 0;                          ///< of its clock
  int drift = 0;                            ///< parts per million
  Micros set_up = 0;                        ///< from the agreement to the workers' start
  std::optional<Micros> trouble_at;         ///< before the agreement, since its start
  bool trouble_after = false;               ///< when all have agreed
  bool differs = false;                     ///< in what has to be the same everywhere
  std::vector<Micros> stops;                ///< SIGTERM comes
  std::vector<Window> freezes;              ///< its launcher does not run
  bool clock_freezes = false;               ///< and its clock stands still
  std::vector<Cut> cuts;                    ///< from the others
  int loss = 0;                             ///< percent of what it sends or is sent
  std::optional<Micros> killed, powerless;  ///< its launcher dies; all of it does
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

  static Schedule of(std::uint64_t seed);
};

}  // namespace trainit::simulation
