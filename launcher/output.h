#pragma once

#include <optional>

#include "logs/relay.h"
#include "plan/launch_plan.h"
#include "preparation.h"
#include "sys/event_loop.h"
#include "trainit/result.h"

/// Where the workers' output goes, by the options and the plan.
namespace trainit {

/// The first option that asks something of the relay, "--log-dir"; null: none does.
const char* asked_of_relay(const Options& options);

/// Makes the directories of the workers' log files. Errors: one cannot be made or
/// written; an option asks something of a relay that is not there (--logs inherit).
Result<void> prepare_log_directories(const Options& options);

logs::RelayOptions relay_options(const JobContext& context, const LaunchPlan& plan);

/// As long as this lives, what we say goes through the relay, between the lines of the workers.
class RelayedLog {
 public:
  RelayedLog(Logger& log, logs::Relay& relay);
  RelayedLog(const RelayedLog&) = delete;
  RelayedLog& operator=(const RelayedLog&) = delete;
  ~RelayedLog() { log_.set_sink(before_); }

 private:
  Logger& log_;
  Logger::Sink before_;
};

/// Waits for the readers of our output, as long as the platform leaves us: from a stop signal on,
/// be it one that came to the job or one that comes now, what is left of its budget.
void finish_output(logs::Relay& relay, const LaunchPlan& plan,
                   std::optional<sys::TimePoint> stop_asked_at);

}  // namespace trainit
