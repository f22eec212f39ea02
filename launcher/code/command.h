#pragma once

#include <string>
#include <vector>

#include "environment/host_environment.h"
#include "options.h"
#include "trainit/environment.h"
#include "trainit/result.h"
#include "trainit/training_job.h"

namespace trainit {

/// What the workers run: a command from the command line, or the script that the platform named.
struct Command {
  std::vector<std::string> argv;       ///< whole, `arguments` included
  std::vector<std::string> arguments;  ///< what the hyperparameters added to it
  std::string directory;               ///< working directory of the workers; empty: ours
  std::string
      not_yet_executable;   ///< a file of the code directory, for `make_executable`; or empty
  std::string python_path;  ///< PYTHONPATH for a script: its directory and what was inherited
  environment::Program program;
  bool script_mode = false;
  bool distributed = false;  ///< the platform asks this host for one process per GPU
  std::vector<std::string> warnings;
};

/// `command_line` when it is not empty, as it is; else script mode: SAGEMAKER_PROGRAM, or the
/// hyperparameter sagemaker_program, in <base>/code or in the local directory that
/// sagemaker_submit_directory names. Nothing is written. Errors are sentences about what is not
/// there.
Result<Command> find_command(const std::vector<std::string>& command_line, const TrainingJob& job,
                             const Options& options, const Environment& inherited);

/// `--args`; unless it is given, the contract's style for a script, and none for a command.
environment::ArgumentStyle argument_style(const Options& options, bool script_mode);

namespace code {

/// Code that travels through archives and object stores loses its executable bits: gives them to
/// the command's program, for whoever is about to start it. Where that fails the start does, too.
void make_executable(Command& command);

}  // namespace code
}  // namespace trainit
