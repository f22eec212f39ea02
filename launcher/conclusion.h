#pragma once

#include <string>
#include <vector>

#include "base/log.h"
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
  std::string failure;             ///< for the failure file; empty: success
  std::vector<std::string> lines;  ///< for the log, in order
};

struct ConclusionInput {
  const JobContext& context;
  const LaunchPlan& plan;
  const supervise::JobEnd& end;
  const std::vector<supervise::WorkerProcess>& processes;
  const logs::Relay& relay;
  std::string error_directory;  ///< where TORCHELASTIC_ERROR_FILE pointed; empty: nowhere
};

/// Gathers the evidence of every worker and decides. Success only when every worker ended with 0.
Conclusion conclude(const ConclusionInput& input);

/// Puts the marker there. Exit 0 needs the success marker: a platform that looks for it must not be
/// left to guess. `markers` is false where there is no platform and no place for them.
int leave_marker(const Conclusion& conclusion, const Paths& paths, bool markers, const Logger& log);

/// A failure before the first worker: the sentence in the log and, where there is an output
/// directory, in the failure file. Returns the exit code.
int leave_set_up_failure(const Error& error, const Paths& paths, const Logger& log);

}  // namespace trainit
