#pragma once

#include <string>
#include <vector>

#include "cli.h"
#include "preparation.h"
#include "report/job_story.h"

/// Where the run record of a job is, for who writes it and for who reads it.
namespace trainit {

/// The file that this host's record goes to: `--record`, or <output>/data/trainit/<host>.jsonl.
/// Empty: none is kept.
std::string record_path(const JobContext& context);

/// Whether another process writes to the record of this job: it runs already.
bool is_recorded_now(const JobContext& context);
/// Whether the job of this environment runs now, by who writes to its record. False also where it
/// keeps none, or keeps it where only its own command line says.
bool job_runs(const Environment& environment);

/// Reads all that is left of a job. `place` is a job's base or output directory, a directory of
/// records, or one record; when it is empty, the job of this process's environment and options.
/// Error, with exit code 1: there is neither a record nor a marker, and where they were looked for;
/// or the only record is none.
Result<report::JobStory> read_job_story(const CommandLine& line, const Environment& environment,
                                        Logger& log);

}  // namespace trainit
