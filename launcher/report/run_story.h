#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trainit/environment.h"
#include "trainit/json.h"
#include "trainit/result.h"

/// The run record read back. docs/run-record.md has its events and members.
namespace trainit::report {

/// A worker's part in a failure.
enum class Part { kCause, kConsequence, kStopped };

/// Why one worker did not end with 0, as the launcher judged it. Times are in seconds from the
/// start of the first worker.
struct EvidenceStory {
  Part part = Part::kStopped;
  std::string kind;  ///< of the cause: what sort of end explains the others
  std::string text;  ///< the sentence that the log had
  std::string error, location, frame, detail;  ///< the worker's own words; each may be empty
  bool told_to_stop = false;
  std::optional<double> told_after, error_after, ended_after;
  Json json;  ///< the whole event
};

struct WorkerStory {
  int rank = 0;
  int local_rank = 0;
  std::vector<std::string> argv;
  std::string cpus;  ///< "0-3,8"; empty: every one
  Environment own;   ///< what other workers do not have, or have differently
  std::optional<int> pid;
  std::optional<double> started, ended;  ///< unix seconds
  std::string status;                    ///< "ended with code 1"; empty: there is no end of it
  std::optional<int> code;               ///< when it ended by itself
  std::string signal;                    ///< when it was killed: "SIGTERM"
  long max_memory_kib = 0;               ///< peak resident memory; 0: not known
  std::optional<EvidenceStory> evidence;
};

struct OutcomeStory {
  bool success = false;
  int exit_code = 0;
  std::string failure;      ///< the verdict, as it went into the failure file
  std::string stop_signal;  ///< what the platform asked to stop with; empty: it did not
  /// Length of the failure file when the job ended; nothing: there was none.
  std::optional<std::int64_t> failure_file_bytes;
  bool failure_file_is_ours = true;  ///< false: the program had written it
};

struct StoryEvent {
  double time = 0;  ///< unix seconds
  std::string name;
  Json json;  ///< the whole event
};

/// One job on one host.
struct RunStory {
  std::string version, host, job, directory;
  bool locked = false;  ///< the launcher held a lock on its record as long as it lived
  std::vector<std::string> argv;
  int restarts = 0;                   ///< all of a worker but its command is that of the last round
  std::optional<double> first_start;  ///< unix seconds, of a worker
  Environment shared;
  std::map<int, WorkerStory> workers;  ///< by rank
  std::vector<StoryEvent> events;      ///< all, in order
  std::optional<OutcomeStory> outcome;
  int earlier_jobs = 0;                ///< stories in the same file before this one
  std::vector<std::size_t> bad_lines;  ///< numbers of lines that could not be read, from 1
  bool torn = false;                   ///< the last line is not whole

  /// Unix seconds of the start of the first worker, else of the first event. The zero of all
  /// relative times.
  double zero() const;
  /// Seconds from `zero` to this unix time, to the millisecond.
  double after(double time) const;
  /// Unix seconds of the last event.
  double last() const;
  /// The argv of a worker.
  const std::vector<std::string>& argv_of(const WorkerStory& worker) const;
  /// The whole environment of a worker.
  Environment environment_of(const WorkerStory& worker) const;
};

/// Reads the text of a record, and tells the last job in it. Events and members that it does not
/// know are kept or ignored; a line that cannot be read, because a disk was full or a launcher
/// killed, is passed over and its number kept. Error: no line of it is an event; it says what is
/// wrong with the first.
Result<RunStory> read_run_story(std::string_view text);

}  // namespace trainit::report
