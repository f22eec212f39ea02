#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "diagnose/verdict.h"
#include "error_directory.h"
#include "logs/relay.h"
#include "plan/launch_plan.h"
#include "preparation.h"
#include "report/record.h"
#include "supervise/supervisor.h"

/// From what happened to what is left behind: the cause, the markers, the summary, the exit code.
namespace trainit {

/// How a job ended, as everybody outside is told.
struct Conclusion {
  int exit_code = 0;
  std::string failure;                 ///< for the failure file, masked; empty: success
  std::vector<std::string> lines;      ///< for the log, in order
  std::vector<Json::Object> evidence;  ///< for the record, one a worker that did not end with 0
  Json::Array gpus;                    ///< for the record, how each GPU has fared
  int restarts = 0;
};

struct ConclusionInput {
  const Logger& log;
  const JobContext& context;
  const LaunchPlan& plan;
  const supervise::JobEnd& end;
  const std::vector<supervise::WorkerProcess>& processes;
  const logs::Relay& relay;
  const Hardware& hardware;
  std::optional<std::int64_t> oom_kills;         ///< see Supervisor::oom_kills
  const std::optional<supervise::Stuck>& stuck;  ///< see Supervisor::stuck
  const ErrorDirectory& errors;
  const supervise::Attendance& attendance;
  const supervise::GpuWatch* gpu_watch;  ///< null: nobody watched the GPUs
  sys::TimePoint zero = {};  ///< from when the record counts; the epoch: the first worker's start
};

/// How this host's part ended, with the evidence of each worker. No text in it shows a secret: the
/// failure file goes to the platform's console, where more people look than into the job's own
/// output.
diagnose::HostEnd host_end(const ConclusionInput& input);

/// What is left behind here: `end` is this host's, `judgement` the job's, whose first cause points
/// into `end` where it lies here.
Conclusion conclude(const ConclusionInput& input, const diagnose::HostEnd& end,
                    const diagnose::Judgement& judgement);

/// What was left for the platform.
struct Verdict {
  int exit_code = 0;
  std::string failure;         ///< for the failure file; empty: success
  bool wrote_failure = false;  ///< the failure file is ours; else it is the program's, or not there
};

/// Puts the marker there. Exit 0 needs the success marker: a platform that looks for it must not be
/// left to guess. `markers` is false where there is no platform and no place for them.
Verdict leave_marker(const Conclusion& conclusion, const Paths& paths, bool markers,
                     const Logger& log);

/// What we exit with for a job that ended with `code`, by `--exit-map`; says when it is another
/// one.
int mapped_exit_code(int code, const std::map<int, int>& exit_codes, const Logger& log);

/// Whether there is a platform, for who cannot read the job (see TrainingJob::on_platform).
bool on_platform(const Paths& paths);

/// A failure before the first worker: the sentence in the log and, where there is a platform or an
/// output directory, in the failure file.
Verdict leave_set_up_failure(const Error& error, const Paths& paths, const Logger& log);
/// The same, before an earlier job's markers were moved away: they are now, so that the failure
/// file is this job's own. But not while the job runs: then somebody has made a mistake beside it.
Verdict leave_early_failure(const Error& error, const Paths& paths, const Logger& log);

}  // namespace trainit
