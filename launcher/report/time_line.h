#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/run_story.h"

namespace trainit::report {

struct Moment {
  double after = 0;  ///< seconds from the story's zero
  std::string text;  ///< "rank 2 ended with code 1"
};

/// What happened, in order. With a `rank`, what concerns this worker: its own events, and those
/// that are nobody's alone. An event that this version does not know is shown with its members.
std::vector<Moment> time_line(const RunStory& story, std::optional<int> rank);

}  // namespace trainit::report
