#pragma once

#include <optional>
#include <string>

#include "report/job_story.h"

namespace trainit::report {

/// True when a record knows this rank.
bool knows_rank(const JobStory& job, int rank);
/// "ranks 0–7", "rank 0", "no worker": those of all records.
std::string ranks_text(const JobStory& job);

/// What `trainit explain` prints: the time line, the command, the evidence, and the environment
/// with the origin of each value; with a `rank`, this worker's alone and whole. Very long values
/// are cut. Ends with a line end.
std::string explain_view(const JobStory& job, std::optional<int> rank, double now);

/// The same as an object, with nothing cut; docs/run-record.md has its members.
Json explain_json(const JobStory& job, std::optional<int> rank);

}  // namespace trainit::report
