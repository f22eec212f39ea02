// trainit exec -- command: runs any command under the same init, without a job around it.
//
// Promises: the command gets our environment, our stdin, stdout and stderr, and our place at the
// terminal; signals reach it; orphans are reaped; the exit code is its own, 128+n, or 125, 126,
// 127.
#include <unistd.h>

#include "commands/commands.h"
#include "logs/relay.h"
#include "markers.h"
#include "output.h"
#include "plan/launch_plan.h"
#include "report/record.h"
#include "supervise/supervisor.h"
#include "sys/users.h"

namespace trainit::commands {
namespace {

Result<LaunchPlan> plan_for(const CommandLine& line, const Options& options,
                            const Environment& environment) {
  if (line.worker_command.empty())
    return fail("trainit exec needs a command: trainit exec -- program arguments…");
  LaunchPlan plan;
  plan.stop = stop_budget(options, TrainingJob(), environment);
  plan.linger = options.linger;
  // Elsewhere than as PID 1, what a command leaves running is its caller's to keep.
  plan.sweep = ::getpid() == 1 || options.sweep;
  plan.signals = SignalRules(SignalRules::Stops::kTermOnly, options.rewrites);
  if (!options.user.empty()) plan.user = TRAINIT_TRY(sys::find_user(options.user));
  if (plan.user && sys::is_ourselves(*plan.user)) plan.user.reset();
  WorkerSpec worker;
  worker.argv = line.worker_command;
  worker.environment = environment;
  worker.stdio = Stdio::kInherit;
  worker.executable = TRAINIT_TRY(find_worker_executable(worker, plan.user));
  plan.workers.push_back(std::move(worker));
  return plan;
}

Result<int> run(const CommandLine& line, const Options& options, const Environment& environment,
                sys::Inheritance& inheritance, Logger& log) {
  const LaunchPlan plan = TRAINIT_TRY(plan_for(line, options, environment));
  for (const int signal : plan.signals.dropped()) sys::drop_signal(inheritance.signals, signal);
  sys::EventLoop loop = TRAINIT_TRY(sys::EventLoop::create());
  logs::Relay relay(loop, 1);
  report::RunRecord record;
  supervise::Supervisor supervisor(plan, {loop, inheritance, relay, record, log});
  std::optional<RelayedLog> relayed(std::in_place, log, relay);
  const Result<supervise::JobEnd> end = supervisor.run();
  finish_output(relay, plan, end ? end->stop_asked_at : std::nullopt);
  relayed.reset();
  if (!end) return tl::unexpected(end.error());
  const supervise::WorkerEnd& worker = end->workers[0];
  if (worker.spawn_error)
    return fail(supervisor.workers()[0].spawn_text, worker.spawn_error->exit_code());
  return worker.status.value_or(sys::ExitStatus::killed(SIGKILL)).shell_code();
}

}  // namespace

int exec(const CommandLine& line, sys::Inheritance inheritance, Logger& log) {
  const Environment environment = Environment::of_process();
  Options defaults;
  defaults.log_level = LogLevel::kWarning;
  const Result<Options> options = make_options(line, Hyperparameters(), environment, defaults);
  if (!options) {
    log.error("{}", options.error().message);
    return options.error().exit_code;
  }
  log.set_level(options->log_level);
  log.set_format(options->log_format);
  for (const std::string& sentence : misspelt_variables(environment)) log.warning("{}", sentence);
  const Result<int> code = run(line, *options, environment, inheritance, log);
  if (!code) log.error("{}", code.error().message);
  return mapped_exit_code(code ? *code : code.error().exit_code, options->exit_codes, log);
}

}  // namespace trainit::commands
