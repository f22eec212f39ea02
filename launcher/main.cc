#include <fmt/core.h>

#include <span>

#include "base/log.h"
#include "cli.h"
#include "commands/commands.h"
#include "commands/print.h"
#include "logs/direct_log.h"
#include "markers.h"
#include "preparation.h"
#include "sys/inheritance.h"

using namespace trainit;

namespace {

/// A mistake on the command line of a job is that job's failure, and a platform shows it. Other
/// commands leave no marker, as they would have left none.
int refuse(const Slip& slip, const Logger& log) {
  const TrainingJob job = TrainingJob::unread(Environment::of_process());
  if (slip.asks_for_job && job.on_platform)
    return leave_early_failure(slip.error, job, log).exit_code;
  log.error("{}", slip.error.message);
  return slip.error.exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  sys::Inheritance inheritance = sys::take_inheritance();
  Logger log;
  const logs::DirectLog direct(log);
  const std::span words(argv, static_cast<std::size_t>(argc));
  log.set_mask(mask_of(
      environment::Secrets::collect(Environment::of_process(), {}, {words.begin(), words.end()})));
  const auto line = parse_command_line(words);
  if (!line) return refuse(line.error(), log);
  if (line->command == "help") return commands::print(help_text(line->help_topic), log);
  if (line->command == "version")
    return commands::print(fmt::format("trainit {}\n", TRAINIT_VERSION), log);
  if (line->command == "env") return commands::env(*line, log);
  if (line->command == "gpus") return commands::gpus(*line, log);
  if (line->command == "check") return commands::check(*line, log);
  if (line->command == "failure") return commands::failure(*line, log);
  if (line->command == "explain") return commands::explain(*line, log);
  if (line->command == "store") return commands::store(*line, log);
  if (line->command == "exec") return commands::exec(*line, std::move(inheritance), log);
  return commands::train(*line, std::move(inheritance), log);
}
