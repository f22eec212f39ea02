// trainit env: prints what a worker of this host would see, and starts nothing. Values are real
// unless --mask is given; --explain adds where each comes from.
#include "commands/commands.h"
#include "commands/print.h"
#include "environment/render.h"
#include "plan/launch_plan.h"
#include "preparation.h"

namespace trainit::commands {
namespace {

environment::RenderFormat format_of(const std::string& name) {
  if (name == "shell") return environment::RenderFormat::kShell;
  if (name == "dotenv") return environment::RenderFormat::kDotenv;
  return environment::RenderFormat::kJson;
}

Result<std::string> render(const CommandLine& line, Logger& log) {
  const JobContext context = TRAINIT_TRY(read_context(line, Environment::of_process(), log));
  configure(log, context);
  const Preparation preparation = TRAINIT_TRY(prepare(line, context, log, false));
  if (preparation.agreement.host_count > 1) {
    log.warning(
        "the ranks are those of {} hosts with {} workers each: how many the others have, they tell "
        "when the job starts",
        preparation.agreement.host_count, preparation.workers);
  }
  if (preparation.command.argv.empty()) {
    log.info(
        "no command is given and no script is named: what workers get beyond the job is left out; "
        "trainit env -- COMMAND shows it");
  }
  Environment variables = worker_environment(plan_input(context, preparation), 0);
  std::vector<std::string> arguments = preparation.command.arguments;
  if (line.mask) {
    variables = environment::mask_environment(std::move(variables), context.secrets);
    arguments = context.secrets.mask_arguments(arguments);
  }
  return environment::render_environment(variables, arguments, format_of(line.format),
                                         line.explain);
}

}  // namespace

int env(const CommandLine& line, Logger& log) {
  const Result<std::string> text = render(line, log);
  if (!text) {
    log.error("{}", text.error().message);
    return text.error().exit_code;
  }
  return print(*text, log);
}

}  // namespace trainit::commands
