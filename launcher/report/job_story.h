#pragma once

#include <string>
#include <vector>

#include "report/record.h"
#include "report/run_story.h"

namespace trainit::report {

/// What one host's record says, and whether it is still written to.
struct HostStory {
  std::string path;
  RunStory story;
  Writer writer = Writer::kUnknown;
};

/// What is known of a job after the fact: the records of its hosts, and its failure file.
struct JobStory {
  std::vector<HostStory> hosts;      ///< in order of their start; may be empty
  std::string failure_file;          ///< its path; empty: there is none
  std::string failure_text;          ///< what is in it
  bool success_marker = false;       ///< for a job without a record
  std::vector<std::string> remarks;  ///< sentences about records that could not be used
  std::string place;                 ///< as it was typed; empty: the default one
};

/// How a host's story ended.
enum class State {
  kSucceeded,
  kFailed,
  kRunning,
  kKilled,  ///< no outcome, and nobody writes any more: the launcher was killed, or the machine
            ///< lost
  kOpen,    ///< no outcome, and it cannot be told whether somebody still writes
};
State state_of(const HostStory& host);
/// "succeeded", "failed", "running", "killed", "open"
std::string_view state_name(State state);

/// Keeps the hosts of the job that began last; the others belong to earlier jobs in the same
/// directory, and a remark says so. Orders the rest by their start.
void keep_last_job(JobStory& job);

/// The worker that failed first, and on which host; null when no record names a cause.
struct Culprit {
  const HostStory* host = nullptr;
  const WorkerStory* worker = nullptr;
};
/// Each host's record names a cause for that host. Of several the one whose kind explains the
/// others' counts (docs/failures.md has the order), then the earliest by the hosts' clocks.
Culprit find_culprit(const JobStory& job);

/// True when the failure file is not what the records tell of: a later job left it, which failed
/// before it had a record.
bool failure_file_is_foreign(const JobStory& job);

}  // namespace trainit::report
