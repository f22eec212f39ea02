#include <fmt/core.h>

#include <cstdio>
#include <span>

#include "base/log.h"
#include "cli.h"
#include "commands/commands.h"
#include "conclusion.h"
#include "preparation.h"
#include "sys/files.h"
#include "sys/inheritance.h"

using namespace trainit;

namespace {

int print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : kSetUpFailed;
}

/// A mistake on the command line. On a platform it is the job's failure, and the platform shows it.
int refuse(const Error& error, const Logger& log) {
  const Environment environment = Environment::of_process();
  const Paths paths = Paths::from(environment);
  const bool on_platform = environment.has("TRAINING_JOB_NAME") || sys::exists(paths.input_config);
  if (on_platform) return leave_early_failure(error, paths, log);
  log.error("{}", error.message);
  return error.exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  sys::Inheritance inheritance = sys::take_inheritance();
  Logger log;
  const std::vector<std::string> words(argv, argv + argc);
  log.set_mask(mask_of(environment::Secrets::collect(Environment::of_process(), {}, words)));
  const Result<CommandLine> line =
      parse_command_line(std::span(argv, static_cast<std::size_t>(argc)));
  if (!line) return refuse(line.error(), log);
  if (line->command == "help") return print(help_text(line->help_topic));
  if (line->command == "version") return print(fmt::format("trainit {}\n", TRAINIT_VERSION));
  if (line->command == "env") return commands::env(*line, log);
  if (line->command == "gpus") return commands::gpus(*line, log);
  if (line->command == "exec") return commands::exec(*line, std::move(inheritance), log);
  return commands::train(*line, std::move(inheritance), log);
}
