#pragma once

#include <map>
#include <string>

#include "base/log.h"
#include "trainit/paths.h"
#include "trainit/result.h"
#include "trainit/training_job.h"

/// What is left for the platform: the markers and the exit code.
namespace trainit {

/// What the platform is told of the job.
struct Outcome {
  int exit_code = 0;
  std::string failure;         ///< for the failure file; empty: success
  bool wrote_failure = false;  ///< the failure file is ours; else it is the program's, or not there

  bool success() const { return failure.empty() && exit_code == 0; }
};

/// Puts the marker there. Exit 0 needs the success marker: a platform that looks for it must not be
/// left to guess. `markers` is false where there is no platform and no place for them.
Outcome leave_marker(Outcome outcome, const Paths& paths, bool markers, const Logger& log);

/// What we exit with for a job that ended with `code`, by `--exit-map`; says when it is another
/// one.
int mapped_exit_code(int code, const std::map<int, int>& exit_codes, const Logger& log);

/// A failure before the first worker: the sentence in the log and, where there is a platform or an
/// output directory, in the failure file, unless the `markers` are another's.
Outcome leave_set_up_failure(const Error& error, const TrainingJob& job, bool markers,
                             const Logger& log);
/// The same, before an earlier job's markers were moved away: they are now, so that the failure
/// file is this job's own. But not while the job runs: then somebody has made a mistake beside it.
Outcome leave_early_failure(const Error& error, const TrainingJob& job, const Logger& log);

}  // namespace trainit
