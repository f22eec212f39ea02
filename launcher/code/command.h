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

/// How a script is run, by its name and what lies beside it.
enum class EntryPoint {
  kPython,      ///< python train.py
  kModule,      ///< python -m package.train
  kShell,       ///< /bin/sh ./train.sh: a .sh without a #! line
  kExecutable,  ///< ./train
};
EntryPoint entry_point_kind(const std::string& code_directory, const std::string& program);

/// "src/pkg/train.py" → "src.pkg.train", for `python -m`.
std::string module_name(std::string_view program);

/// The interpreter: `--python`, SAGEMAKER_PYTHON, a virtual or conda environment, python3, python.
Result<std::string> find_python(const Options& options, const Environment& environment,
                                const std::string& code_directory);

/// The directory of the script, from sagemaker_submit_directory; for an address in S3 <base>/code,
/// when that has something in it. Addresses and archives that would have to be fetched first are
/// refused with a sentence.
Result<std::string> code_directory(const TrainingJob& job);

/// Code that travels through archives and object stores loses its executable bits: gives them to
/// the command's program, for whoever is about to start it. Where that fails the start does, too.
void make_executable(Command& command);

}  // namespace code
}  // namespace trainit
