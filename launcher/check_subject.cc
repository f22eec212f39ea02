#include "check_subject.h"

#include <fmt/core.h>

#include "base/text.h"
#include "check/job.h"

namespace trainit {
namespace {

/// The value, or `otherwise`, with the sentence among the errors.
template <class Value>
Value take_or(Result<Value> result, Value otherwise, check::JobFacts& facts) {
  if (result) return std::move(*result);
  facts.errors.push_back(result.error().message);
  return otherwise;
}

void describe_job(const TrainingJob& job, check::JobFacts& facts) {
  facts.warnings = job.warnings;
  facts.on_platform = job.on_platform;
  facts.host = job.resources.current_host;
  facts.instance_type = job.resources.instance_type;
  facts.hosts = static_cast<int>(job.resources.hosts.size());
  facts.channels = static_cast<int>(job.channels.size());
  facts.hyperparameters = static_cast<int>(job.hyperparameters.user().size());
}

/// What a script's workers are given beside what our caller gave us.
Environment with_python_path(Environment environment, const std::string& python_path) {
  if (!python_path.empty()) environment.set("PYTHONPATH", python_path, "the code directory");
  return environment;
}

void add_command(const CommandLine& line, const JobContext& context, const Logger& log,
                 check::Subject& subject) {
  Result<Command> command = job_command(line, context, log, false);
  if (!command) {
    subject.command_error = command.error().message;
    return;
  }
  subject.environment = with_python_path(context.inherited, command->python_path);
  subject.command = std::move(*command);
}

}  // namespace

Result<CheckedJob> read_for_check(const CommandLine& line, Logger& log) {
  const Options of_flags = TRAINIT_TRY(make_options(line, Hyperparameters(), Environment()));
  check::JobFacts facts;
  JobContext context;
  context.inherited = Environment::of_process();
  context.job =
      take_or(TrainingJob::load(context.inherited), TrainingJob::unread(context.inherited), facts);
  context.secrets = environment::Secrets::collect(context.inherited, context.job.hyperparameters,
                                                  line.worker_command);
  log.set_mask(mask_of(context.secrets));
  context.options =
      take_or(make_options(line, context.job.hyperparameters, context.inherited), of_flags, facts);
  configure(log, context);
  describe_job(context.job, facts);
  for (std::string& sentence : misspelt_variables(context.inherited))
    facts.warnings.push_back(std::move(sentence));
  CheckedJob result;
  check::Subject& subject = result.subject;
  subject.environment = context.inherited;
  subject.hardware = look_at_hardware(context.inherited, context.options);
  subject.cluster = Cluster::of(context.job.resources, context.job.hyperparameters);
  subject.stops = signal_rules(context.options).stops();
  add_command(line, context, log, subject);
  subject.workers =
      take_or(worker_count(context.options, subject.hardware, subject.command.value_or(Command())),
              1, facts);
  subject.job = std::move(context.job);
  subject.options = std::move(context.options);
  result.job = check::judge_job(facts);
  return result;
}

check::Subject check_subject(const JobContext& context, const Preparation& preparation) {
  check::Subject subject;
  subject.environment = with_python_path(context.inherited, preparation.command.python_path);
  subject.job = context.job;
  subject.options = context.options;
  subject.hardware = preparation.hardware;
  subject.cluster = preparation.cluster;
  subject.command = preparation.command;
  subject.workers = preparation.workers;
  subject.stops = signal_rules(context.options).stops();
  return subject;
}

void announce_deep_check(const check::Subject& subject, const Logger& log) {
  const int gpus = subject.hardware.gpus.count();
  if (gpus == 0) return;
  const std::chrono::duration<double> deadline = subject.options.deep_deadline;
  log.info("trying what the {} can do, for {} at most",
           gpus == 1 ? "GPU" : fmt::format("{} GPUs", gpus), human_seconds(deadline.count()));
}

}  // namespace trainit
