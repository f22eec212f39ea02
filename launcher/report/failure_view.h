#pragma once

#include <string>

#include "report/job_story.h"

namespace trainit::report {

/// One sentence: how this host's part ended, or that it has not. "algo-1: the job failed with exit
/// code 1 after 2.4 s". `now` is unix time in seconds, for a job that runs.
std::string headline(const HostStory& host, double now);

/// What `trainit failure` prints: what failed first and why, how every worker ended, and whom it
/// took along. It fits on a screen; what is left out is said. Ends with a line end.
std::string failure_view(const JobStory& job, double now);

/// The same as an object; docs/run-record.md has its members.
Json failure_json(const JobStory& job);

}  // namespace trainit::report
