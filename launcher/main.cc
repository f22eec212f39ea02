#include <fmt/core.h>

#include <cstdio>
#include <span>

#include "base/log.h"
#include "cli.h"
#include "commands/commands.h"
#include "sys/inheritance.h"

using namespace trainit;

namespace {

int print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : kSetUpFailed;
}

}  // namespace

int main(int argc, char** argv) {
  sys::Inheritance inheritance = sys::take_inheritance();
  Logger log;
  const Result<CommandLine> line =
      parse_command_line(std::span(argv, static_cast<std::size_t>(argc)));
  if (!line) {
    log.error("{}", line.error().message);
    return line.error().exit_code;
  }
  if (line->command == "help") return print(help_text(line->help_topic));
  if (line->command == "version") return print(fmt::format("trainit {}\n", TRAINIT_VERSION));
  if (line->command == "env") return commands::env(*line, log);
  if (line->command == "gpus") return commands::gpus(*line, log);
  if (line->command == "exec") return commands::exec(*line, std::move(inheritance), log);
  return commands::train(*line, std::move(inheritance), log);
}
