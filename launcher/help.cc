#include <fmt/core.h>

#include <algorithm>

#include "cli.h"

namespace trainit {
namespace {

constexpr std::string_view kShortHelp = R"(trainit: the entrypoint of a training container

usage: trainit [train] [options] [-- command arguments…]
       trainit exec [options] -- command arguments…
       trainit check [options] [-- command arguments…]
       trainit env | gpus | store | failure [DIR] | explain [rank N] [DIR] | help [COMMAND] | version

It reads what the training platform wrote under /opt/ml/input/config, finds the GPUs, sets SM_*, RANK,
MASTER_ADDR and the other variables that scripts rely on, starts one worker per GPU, looks after
them as PID 1, and leaves success or failure in /opt/ml/output.

commands
  train   run the job: the command after --, or the script that the platform named (the default)
  exec    run any command under the same init, without a job around it
  env     print what a worker would see; starts nothing   [--format json|shell|dotenv] [--explain] [--mask]
  gpus    print the GPUs that a worker would see          [--format json|table]
  check   look for what would make the job fail: imports, driver, directories …  [--deep] [--format text|json]
  store   serve PyTorch's rendezvous store alone          [--port PORT] [--listen ADDRESS] [--world-size N]
  failure print what failed first and why                 [--format text|json]
  explain print the whole story of a job, or of one rank: time line, command, environment, evidence

most used options
  --workers N|gpu|cpu|auto     workers on this host (default: one per GPU; a script: one)
  --stop-budget DURATION       from a stop signal until everything has ended
  --user NAME|UID[:GROUP|GID]  run the workers as this user
  --python PROGRAM             the interpreter of a script
  --log-level LEVEL            debug, info, warning, error or off
  --record PATH|none           where the run record goes

Every option is a flag, a hyperparameter and a variable: trainit train --help lists them all,
and trainit exec --help those of exec.
Exit code: the worker's own; 128+n after signal n; 125 set-up failed, 126 not executable, 127 not found.
)";

constexpr std::string_view kTrainHelp =
    R"(usage: trainit [train] [options] [-- command arguments…]

A flag wins over a hyperparameter, which wins over a variable.
)";

constexpr std::string_view kExecHelp = R"(usage: trainit exec [options] -- command arguments…

Runs the command under the same init as a job: it has our stdin, stdout and stderr and our place at
the terminal, gets the signals that we get, and its exit code is ours. SIGTERM begins a stop.
A flag wins over a variable; there are no hyperparameters here.
)";

constexpr std::string_view kStoreHelp = R"(usage: trainit store [options]

Serves PyTorch's rendezvous store alone, until SIGTERM, SIGINT or SIGHUP. The first line on stdout
says where it listens, once it does.

  --port PORT
      Where it listens; 0: a free port [default: 29500]
  --listen ADDRESS[,…]
      The addresses [default: the loopback interface; with --store-allow every interface]
  --world-size N
      How many processes share it, which keeps groups apart that are made one after the other
)";

constexpr std::string_view kCheckHelp = R"(usage: trainit check [options] [-- command arguments…]

Looks for what would make the job fail here: imports, driver, directories, limits and more. It
starts no worker. Exit code: 0 all is well, 1 there are warnings, 2 there are errors.

  --deep
      Try what the GPUs can do, too; for at most --deep-deadline
  --format text|json
      How it is printed [default: text]

It takes the options of a job as well, and looks at what these would start: see trainit train --help.
)";

/// Nothing reads hyperparameters there.
bool is_without_job(std::string_view topic) { return topic == "exec" || topic == "store"; }

bool is_heeded(const OptionRow& row, std::string_view topic) {
  constexpr std::string_view kOfStore[] = {"store-allow", "log-level", "log-format"};
  if (topic == "exec") return row.for_exec;
  return topic != "store" ||
         std::find(std::begin(kOfStore), std::end(kOfStore), row.name) != std::end(kOfStore);
}

std::string row_text(const OptionRow& row, std::string_view topic) {
  const std::string left = row.flag() + (*row.value == '\0' ? "" : " ") + row.value;
  const std::string by_default =
      *row.by_default == '\0' ? "" : fmt::format(" [default: {}]", row.by_default);
  const std::string hyperparameter =
      is_without_job(topic) ? "" : fmt::format("hyperparameter {}, ", row.hyperparameter());
  return fmt::format("  {}\n      {}{}\n      {}variable {}\n", left, row.help, by_default,
                     hyperparameter, row.variable());
}

}  // namespace

std::string help_text(std::string_view topic) {
  if (topic == "check") return std::string(kCheckHelp);
  if (topic != "train" && topic != "exec" && topic != "store") return std::string(kShortHelp);
  std::string text(topic == "exec" ? kExecHelp : topic == "store" ? kStoreHelp : kTrainHelp);
  std::string_view group;
  for (const OptionRow& row : option_table()) {
    if (!is_heeded(row, topic)) continue;
    if (group != row.group) text += fmt::format("\n{}\n", row.group);
    group = row.group;
    text += row_text(row, topic);
  }
  return text;
}

}  // namespace trainit
