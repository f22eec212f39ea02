// trainit gpus: prints the GPUs that a worker of this host would see, and who told us of them. Exit
// 0 also when there are none.
#include "commands/commands.h"
#include "commands/print.h"
#include "hardware/describe.h"
#include "preparation.h"

namespace trainit::commands {

int gpus(const CommandLine& line, Logger& log) {
  const Environment environment = Environment::of_process();
  // A configuration that cannot be read is the job's affair, not that of its GPUs.
  const Result<TrainingJob> job = TrainingJob::load(environment);
  const Result<Options> options =
      make_options(line, job ? job->hyperparameters : Hyperparameters(), environment);
  if (!options) {
    log.error("{}", options.error().message);
    return options.error().exit_code;
  }
  const Gpus found = look_at_hardware(environment, *options).gpus;
  const std::string text = line.format == "json"
                               ? dump_json(hardware::to_json(found), JsonStyle::kPython) + "\n"
                               : hardware::to_table(found);
  for (const std::string& warning : found.warnings) log.warning("{}", warning);
  return print(text, log);
}

}  // namespace trainit::commands
