#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "cli.h"
#include "code/command.h"
#include "environment/host_environment.h"
#include "environment/secrets.h"
#include "options.h"
#include "plan/launch_plan.h"
#include "sys/cgroup.h"
#include "sys/listener.h"
#include "sys/reserved_port.h"
#include "trainit/cluster.h"
#include "trainit/hardware.h"
#include "trainit/training_job.h"

namespace trainit {

/// What is known before anything is decided: the job, the options, and with them how to speak.
struct JobContext {
  Environment inherited;
  TrainingJob job;
  Options options;
  environment::Secrets secrets;
};
/// From when the secrets are known the logger masks them, also in what an error says.
Result<JobContext> read_context(const CommandLine& line, const Environment& inherited, Logger& log);

/// With a copy of the secrets: the logger outlives who knows them.
Logger::Mask mask_of(environment::Secrets secrets);

/// Gives the logger the level and format that were chosen.
void configure(Logger& log, const JobContext& context);

/// What this machine has, by the options and the limits of these groups.
Hardware look_at_hardware(const Environment& inherited, const Options& options,
                          const sys::ControlGroups& groups = sys::ControlGroups::of_process());

/// What this host will do: the job's command, the machine, its place among the hosts, and the
/// variables of its workers. Nothing has been started or written.
struct Preparation {
  sys::ControlGroups groups;  ///< that we and the workers are in
  Hardware hardware;
  Cluster cluster;
  Command command;
  int workers = 1;
  bool ranks = false;
  environment::HostEnvironment host;
  environment::Agreement agreement;      ///< of several hosts: with each like this one
  std::vector<sys::ReservedPort> ports;  ///< held for workers that meet, as long as this lives
  std::optional<sys::Listener> store;    ///< where our store listens; nothing: rank 0 serves one
  bool together = false;  ///< the hosts are to meet; until then the agreement is what the leader
                          ///< brings, or on the others a guess
  std::optional<sys::Listener> control;  ///< where the leader listens for the others
};

/// `for_workers`: workers are to be started, so it is an error when there is nothing to run, and
/// ports are kept for them; otherwise the command stays empty then.
Result<Preparation> prepare(const CommandLine& line, const JobContext& context, const Logger& log,
                            bool for_workers);

/// No more than what it takes to meet the other hosts: whether they are to meet, and the place
/// among them. For a host that cannot take part, and is to say so.
Result<Preparation> prepare_to_meet(const JobContext& context);

/// What the workers run. Where nothing is given or named, an error with `for_workers`, else a
/// command without words.
Result<Command> job_command(const CommandLine& line, const JobContext& context, const Logger& log,
                            bool for_workers);

/// The stop that was asked for before the first worker; nothing: none was.
std::optional<Error> stopped_early(const Options& options);

/// The plan's view of it all.
PlanInput plan_input(const JobContext& context, const Preparation& preparation);

}  // namespace trainit
