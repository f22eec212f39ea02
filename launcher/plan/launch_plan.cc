#include "plan/launch_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "plan/worker_defaults.h"
#include "sys/files.h"

namespace trainit {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

milliseconds platform_budget(const TrainingJob& job, const Environment& inherited) {
  if (!job.arn.empty()) return 120s;
  for (const char* sign : {"KUBERNETES_SERVICE_HOST", "AWS_BATCH_JOB_ID", "SLURM_JOB_ID"}) {
    if (inherited.has(sign)) return 30s;
  }
  return 10s;
}

Stdio stdio_of(const PlanInput& input) {
  const bool inherit = input.options.logs == Logs::kInherit;
  if (input.workers > 1) return inherit ? Stdio::kInheritOutput : Stdio::kRelay;
  return inherit || input.terminal ? Stdio::kInherit : Stdio::kRelayWithStdin;
}

/// What the workers of this host have in common.
struct Common {
  Environment environment;
  std::vector<std::string> notes;
  bool ranks;
};
Common common_of(const PlanInput& input) {
  Common common{input.inherited, {}, wants_ranks(input.options, input.command, input.workers)};
  // A rank of an outer launcher is no rank of this job; with --rank-env never it is the user's
  // affair.
  if (input.options.rank_environment != RankEnvironment::kNever) {
    environment::erase_rank_variables(common.environment);
  }
  common.environment.merge(input.host.variables);
  // An inherited value under such a name would be another job's.
  for (const std::string& name : input.host.left_out) common.environment.erase(name);
  if (!input.command.python_path.empty()) {
    common.environment.set("PYTHONPATH", input.command.python_path, "the code directory");
  }
  common.notes = set_defaults(common.environment, input, common.ranks);
  return common;
}

Environment environment_of(const PlanInput& input, const Common& common, int local_rank) {
  Environment result = common.environment;
  if (common.ranks) {
    result.merge(environment::rank_environment(input.agreement, local_rank, input.workers));
  }
  const int rank = input.agreement.first_rank + local_rank;
  // With --rank-env never such variables are the user's affair.
  const bool kept = input.options.rank_environment == RankEnvironment::kNever &&
                    result.has("TORCHELASTIC_ERROR_FILE");
  if (!input.error_directory.empty() && !kept) {
    result.set("TORCHELASTIC_ERROR_FILE", sys::join_path(input.error_directory, error_file(rank)),
               "trainit");
  }
  if (input.options.isolate_gpus)
    isolate_gpu(result, input.hardware.gpus, local_rank, input.inherited);
  return result;
}

WorkerSpec make_worker(const PlanInput& input, const Common& common, int local_rank) {
  WorkerSpec worker;
  worker.local_rank = local_rank;
  worker.rank = input.agreement.first_rank + local_rank;
  worker.argv = input.command.argv;
  worker.directory = input.command.directory;
  worker.environment = environment_of(input, common, local_rank);
  worker.stdio = stdio_of(input);
  if (input.options.binding == Binding::kNuma)
    worker.cpus = cpus_near_gpu(input.hardware.gpus, local_rank);
  return worker;
}

/// The platform's own word may be all that is there, where the image has its command in CMD.
std::string_view hint_of_lone_train(const std::vector<std::string>& argv) {
  if (argv.size() != 1 || argv[0] != "train") return "";
  return "; the platform puts \"train\" in the place of the image's CMD: the command belongs in "
         "ENTRYPOINT";
}

}  // namespace

SignalRules signal_rules(const Options& options) {
  return SignalRules(SignalRules::Stops::kTermAndInt, options.rewrites);
}

std::optional<int> pending_stop(const Options& options) {
  const SignalRules rules = signal_rules(options);
  const auto came = sys::pending_signal(rules.stops());
  return came ? std::optional(rules.rewrite(*came)) : std::nullopt;
}

Result<int> worker_count(const Options& options, const Hardware& hardware, const Command& command) {
  const int gpus = hardware.gpus.count();
  switch (options.workers.kind) {
    case WorkerCount::Kind::kNumber:
      return options.workers.number;
    case WorkerCount::Kind::kCpu:
      return hardware.cpus.usable();
    case WorkerCount::Kind::kGpu:
      if (gpus == 0)
        return fail(
            "--workers gpu: this host has no GPU that a worker could use; give a number, or auto");
      return gpus;
    case WorkerCount::Kind::kAuto:
      break;
  }
  if (command.script_mode && !command.distributed) return 1;
  return std::max(gpus, 1);
}

bool wants_ranks(const Options& options, const Command& command, int workers) {
  switch (options.rank_environment) {
    case RankEnvironment::kAlways:
      return true;
    case RankEnvironment::kNever:
      return false;
    case RankEnvironment::kAuto:
      break;
  }
  return !command.script_mode || command.distributed || workers > 1;
}

StopBudget stop_budget(const Options& options, const TrainingJob& job,
                       const Environment& inherited) {
  StopBudget budget;
  budget.total = options.stop_budget.value_or(platform_budget(job, inherited));
  budget.leaders = budget.total < 40s ? budget.total * 3 / 4 : budget.total - 10s;
  budget.groups = (budget.total - budget.leaders) / 2;
  const milliseconds rest = budget.total - budget.leaders - budget.groups;
  const milliseconds for_failure_file = std::min<milliseconds>(150ms, rest / 4);
  budget.drain = std::min<milliseconds>(500ms, rest * 2 / 5);
  budget.kill = rest - budget.drain - for_failure_file;
  return budget;
}

bool LaunchPlan::meets_by_nccl() const {
  return !workers.empty() && workers[0].environment.has("NCCL_COMM_ID");
}

Result<LaunchPlan> make_plan(const PlanInput& input) {
  LaunchPlan plan;
  plan.stop = stop_budget(input.options, input.job, input.inherited);
  plan.failure_grace = input.options.failure_grace;
  plan.linger = input.options.linger;
  plan.late_after = input.options.late_after;
  plan.signals = signal_rules(input.options);
  plan.user = input.user;
  const Common common = common_of(input);
  plan.notes = common.notes;
  for (int local_rank = 0; local_rank < input.workers; ++local_rank) {
    plan.workers.push_back(make_worker(input, common, local_rank));
  }
  // The same program for all, so it is looked for once.
  const std::string executable = TRAINIT_TRY(find_worker_executable(plan.workers[0], input.user));
  for (WorkerSpec& worker : plan.workers) worker.executable = executable;
  return plan;
}

Result<std::string> find_worker_executable(const WorkerSpec& worker,
                                           const std::optional<sys::Credentials>& user) {
  const std::string& name = worker.argv[0];
  const std::string path = worker.environment.get_or("PATH", sys::kDefaultPath);
  const auto found = sys::find_executable(name, path, worker.directory);
  if (found) return *found;
  if (found.error().errno_value == ENOENT) {
    return fail(fmt::format("cannot run {}: there is no such program in {}{}", name, path,
                            hint_of_lone_train(worker.argv)),
                127);
  }
  sys::SpawnRequest request;
  request.argv = worker.argv;
  request.directory = worker.directory;
  request.user = user;
  return fail(sys::describe(found.error(), request), found.error().exit_code());
}

Environment worker_environment(const PlanInput& input, int local_rank) {
  return environment_of(input, common_of(input), local_rank);
}

}  // namespace trainit
