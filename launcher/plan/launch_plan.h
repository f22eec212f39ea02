#pragma once

#include <sched.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "code/command.h"
#include "environment/rank_environment.h"
#include "options.h"
#include "plan/signal_rules.h"
#include "sys/process.h"
#include "trainit/cluster.h"
#include "trainit/hardware.h"
#include "trainit/training_job.h"

namespace trainit {

/// Where a worker's stdin, stdout and stderr go.
enum class Stdio {
  kRelay,           ///< stdin /dev/null, both outputs through our relay
  kRelayWithStdin,  ///< our stdin, both outputs through our relay
  kInheritOutput,   ///< stdin /dev/null, our own stdout and stderr
  kInherit,         ///< our own three: a terminal, or whatever `exec` was given
};

constexpr bool has_our_stdin(Stdio stdio) {
  return stdio == Stdio::kRelayWithStdin || stdio == Stdio::kInherit;
}
constexpr bool is_relayed(Stdio stdio) {
  return stdio == Stdio::kRelay || stdio == Stdio::kRelayWithStdin;
}

struct WorkerSpec {
  int rank = 0;
  int local_rank = 0;
  std::vector<std::string> argv;
  std::string executable;
  std::string directory;
  Environment environment;
  std::optional<cpu_set_t> cpus;
  Stdio stdio = Stdio::kRelay;
};

/// How the time between a stop signal and the platform's own SIGKILL is spent. What is left of it
/// is for the failure file.
struct StopBudget {
  std::chrono::milliseconds total{10'000};
  std::chrono::milliseconds leaders{7'500};  ///< the workers' own, to write a checkpoint
  std::chrono::milliseconds groups{1'250};   ///< then TERM for their groups
  std::chrono::milliseconds kill{600};       ///< then KILL for the tree
  std::chrono::milliseconds drain{500};      ///< then what is still in the pipes
};

struct LaunchPlan {
  std::vector<WorkerSpec> workers;  ///< in order of local rank
  StopBudget stop;
  std::chrono::milliseconds failure_grace{20'000};  ///< what siblings of a failed worker get
  std::chrono::milliseconds linger{5'000};       ///< what survivors of the workers' natural end get
  std::chrono::milliseconds late_after{60'000};  ///< from when workers are missed; 0: never
  bool sweep = true;                             ///< false: such survivors are left alone
  SignalRules signals;                           ///< what the signals mean that we get
  std::optional<sys::Credentials> user;
  std::vector<std::string> notes;  ///< for the log: what was set, and why

  /// The workers have a place where NCCL alone brings them together, so that it means nothing when
  /// none of them comes to a store.
  bool meets_by_nccl() const;
};

/// What signals mean to a job with these options.
SignalRules signal_rules(const Options& options);

/// The stop signal that has come to a job with these options and waits, as what it is meant;
/// nothing: none has.
std::optional<int> pending_stop(const Options& options);

/// How many workers this host is to start, by the options, the hardware and the kind of command.
Result<int> worker_count(const Options& options, const Hardware& hardware, const Command& command);

/// True when the workers are to be told ranks and a rendezvous.
bool wants_ranks(const Options& options, const Command& command, int workers);

/// The budget of the platform that the environment shows (SageMaker 120 s; Kubernetes, Batch and
/// Slurm 30 s; elsewhere 10 s) or of `--stop-budget`.
StopBudget stop_budget(const Options& options, const TrainingJob& job,
                       const Environment& inherited);

/// The plan for this host: pure but for the search of the executable. `inherited` is the
/// environment that our caller gave us; `terminal` is true when one worker may have our terminal to
/// itself.
struct PlanInput {
  const TrainingJob& job;
  const Hardware& hardware;
  const Cluster& cluster;
  const Command& command;
  const Options& options;
  const Environment& inherited;
  const environment::HostEnvironment& host;
  environment::Agreement agreement;
  int workers = 1;
  bool terminal = false;
  std::string error_directory;  ///< for TORCHELASTIC_ERROR_FILE, one file a rank; empty: none
  std::optional<sys::Credentials> user;
};
Result<LaunchPlan> make_plan(const PlanInput& input);

/// The path of the worker's program, by its own PATH. Error: a sentence, with 126 or 127.
Result<std::string> find_worker_executable(const WorkerSpec& worker,
                                           const std::optional<sys::Credentials>& user);

/// What the worker of this local rank will find in its environment.
Environment worker_environment(const PlanInput& input, int local_rank);

}  // namespace trainit
