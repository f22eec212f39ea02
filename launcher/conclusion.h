#pragma once

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

/// From what happened to what is said of it: the evidence, the last lines of the log, the summary.
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

}  // namespace trainit
