#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/log.h"
#include "conclusion.h"
#include "coordination/peers.h"
#include "error_directory.h"
#include "logs/relay.h"
#include "plan/launch_plan.h"
#include "preparation.h"
#include "report/record.h"
#include "supervise/gpu_watch.h"
#include "supervise/store_process.h"
#include "supervise/supervisor.h"
#include "sys/event_loop.h"
#include "sys/inheritance.h"

namespace trainit {

/// One life of this host's workers: the plan, who starts and watches them, and what belongs to them
/// alone. A job has one round, and another one for each restart.
class Round {
 public:
  /// Plans it, by the agreement of `preparation`. Error: the workers cannot be started.
  static Result<std::unique_ptr<Round>> make(const JobContext& context,
                                             const Preparation& preparation,
                                             const std::optional<sys::Credentials>& user,
                                             const Logger& log);
  Round(const Round&) = delete;
  Round& operator=(const Round&) = delete;

  const LaunchPlan& plan() const { return plan_; }

  /// What lasts longer than a round.
  struct Parts {
    sys::EventLoop& loop;
    sys::Inheritance& inheritance;
    logs::Relay& relay;
    report::RunRecord& record;
    coordination::Peers* peers;  ///< null: this host is alone
    supervise::Supervisor::Peers told_peers;
    /// What a host's end or stop means for the workers here.
    std::function<void(const coordination::message::Stop& why, supervise::Supervisor& supervisor)>
        on_stop;
  };
  /// Runs the workers to their end. What `peers` hear of them then still comes to the supervisor.
  /// Error: none was started.
  Result<void> run(const Parts& parts);
  /// From here on the round has been run.
  supervise::Supervisor& supervisor() { return *supervisor_; }
  const supervise::JobEnd& end() const { return end_; }
  ConclusionInput conclusion_input(const logs::Relay& relay) const;

 private:
  Round(const JobContext& context, const Preparation& preparation,
        const std::optional<sys::Credentials>& user, const Logger& log)
      : context_(context), preparation_(preparation), log_(log), errors_(context.inherited, user) {}
  void make_supervisor(const Parts& parts);

  const JobContext& context_;
  const Preparation& preparation_;
  const Logger& log_;
  ErrorDirectory errors_;
  LaunchPlan plan_;
  std::unique_ptr<supervise::StoreProcess> store_;
  std::unique_ptr<supervise::GpuWatch> gpu_watch_;
  std::unique_ptr<supervise::Supervisor> supervisor_;
  supervise::JobEnd end_;
};

}  // namespace trainit
