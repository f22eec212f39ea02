#include "code/command.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <utility>

#include "base/text.h"
#include "cluster/distribution.h"
#include "code/code_directory.h"
#include "code/entry_point.h"
#include "code/interpreter.h"
#include "sys/files.h"
#include "trainit/cluster.h"

namespace trainit {
namespace code {
namespace {

constexpr mode_t kExecutableBits = 0111;

/// Whether a file, wherever links lead to, is below a directory.
bool lies_below(const std::string& directory, const std::string& file) {
  char real_directory[PATH_MAX], real_file[PATH_MAX];
  if (::realpath(directory.c_str(), real_directory) == nullptr) return false;
  if (::realpath(file.c_str(), real_file) == nullptr) return false;
  return std::string_view(real_file).starts_with(std::string(real_directory) + "/");
}

/// Whether a file of the code directory lacks an executable bit that we could give it.
bool wants_executable_bit(const std::string& directory, const std::string& file) {
  struct stat status = {};
  if (::stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if ((status.st_mode & kExecutableBits) == kExecutableBits) return false;
  const bool ours = ::geteuid() == 0 || ::geteuid() == status.st_uid;
  const bool read_only = ::access(file.c_str(), W_OK) != 0 && errno == EROFS;
  return ours && !read_only && lies_below(directory, file);
}

Result<std::vector<std::string>> script_argv(const std::string& directory,
                                             const std::string& program, EntryPoint kind,
                                             const Options& options, const Environment& inherited) {
  const std::string local = program.starts_with('/') ? program : "./" + program;
  const bool by_itself = kind == EntryPoint::kShell || kind == EntryPoint::kExecutable;
  if (by_itself) TRAINIT_TRY(check_first_line(sys::join_path(directory, program), kind));
  if (kind == EntryPoint::kShell) return std::vector<std::string>{"/bin/sh", local};
  if (kind == EntryPoint::kExecutable) return std::vector{local};
  const Result<std::string> python = find_python(options, inherited, directory);
  if (!python) {
    const bool named = !options.python.empty() || !inherited.get_or("SAGEMAKER_PYTHON", "").empty();
    return fail(fmt::format("{}, and {} needs one{}", python.error().message, program,
                            named ? "" : "; set --python"),
                python.error().exit_code);
  }
  if (kind == EntryPoint::kModule)
    return std::vector<std::string>{*python, "-m", module_name(program)};
  // A name such as "-c.py" must not be read as an option.
  if (program.starts_with('-')) return std::vector<std::string>{*python, "--", program};
  return std::vector<std::string>{*python, program};
}

/// Whether the platform asks this host for one process per GPU. A host outside the distribution's
/// groups runs the script as it is.
bool asks_for_distribution(const TrainingJob& job) {
  return Cluster::of(job.resources, job.hyperparameters).host_rank >= 0 &&
         cluster::wants_process_per_gpu(job.hyperparameters);
}

/// The script that the platform names, if it does.
struct NamedScript {
  std::string program;
  std::string origin;  ///< the variable or the hyperparameter
};
NamedScript named_script(const TrainingJob& job, const Environment& inherited) {
  const std::string variable = inherited.get_or("SAGEMAKER_PROGRAM", "");
  if (!variable.empty()) return {variable, "SAGEMAKER_PROGRAM"};
  return {job.hyperparameters.platform_text("sagemaker_program").value_or(""), "sagemaker_program"};
}

/// PYTHONPATH of a script, which runs elsewhere than where its relative entries begin. An empty
/// entry is the working directory for Python.
std::string python_path(const std::string& directory, const std::string& inherited) {
  std::string path = directory;
  if (inherited.empty()) return path;
  for (const std::string_view entry : split(inherited, ':')) {
    path += ':';
    path += entry.empty() ? sys::working_directory() : sys::absolute_path(std::string(entry));
  }
  return path;
}

/// What a person should know of a script that will be run nevertheless.
std::vector<std::string> warnings_of(const Command& command, EntryPoint kind,
                                     const std::string& other_distribution) {
  std::vector<std::string> warnings;
  if (!other_distribution.empty()) {
    warnings.push_back(
        fmt::format("{} asks for a distribution that this trainit does not set up: each host runs "
                    "the script as it is, without TF_CONFIG and the like",
                    other_distribution));
  }
  const auto& [program, submitted, directory] = command.program;
  if (const std::string_view step = missing_step(submitted); !step.empty()) {
    warnings.push_back(
        fmt::format("sagemaker_submit_directory is {}, which this trainit does not {}: running "
                    "what is in {}",
                    submitted, step, directory));
  }
  for (const char* file : {"requirements.txt", "setup.py", "pyproject.toml"}) {
    if (!sys::exists(sys::join_path(directory, file))) continue;
    warnings.push_back(
        fmt::format("{}/{} is not installed: this trainit installs nothing; install it when the "
                    "image is built",
                    directory, file));
  }
  std::string line_ends = warning_of_line_ends(sys::join_path(directory, program), kind);
  if (!line_ends.empty()) warnings.push_back(std::move(line_ends));
  return warnings;
}

Result<Command> find_script(const NamedScript& script, const TrainingJob& job,
                            const Options& options, const Environment& inherited) {
  const std::string& program = script.program;
  if (job.hyperparameters.platform_flag("sagemaker_mpi_enabled")) {
    return fail(
        "sagemaker_mpi_enabled asks for MPI, which this trainit does not start: use "
        "torch_distributed, or a "
        "command that starts MPI itself");
  }
  Command command;
  command.script_mode = true;
  command.distributed = asks_for_distribution(job);
  command.directory = TRAINIT_TRY(code_directory(job));
  TRAINIT_TRY(check_entry_point(command.directory, program, script.origin));
  const EntryPoint kind = entry_point_kind(command.directory, program);
  command.argv = TRAINIT_TRY(script_argv(command.directory, program, kind, options, inherited));
  const std::string file = sys::join_path(command.directory, program);
  if (kind == EntryPoint::kExecutable && wants_executable_bit(command.directory, file))
    command.not_yet_executable = file;
  command.python_path = python_path(command.directory, inherited.get_or("PYTHONPATH", ""));
  const std::string submitted =
      job.hyperparameters.platform_text("sagemaker_submit_directory").value_or(command.directory);
  command.program = {program, submitted, command.directory};
  command.warnings = warnings_of(command, kind, cluster::other_distribution(job.hyperparameters));
  return command;
}

}  // namespace

void make_executable(Command& command) {
  struct stat status = {};
  const std::string file = std::exchange(command.not_yet_executable, {});
  if (file.empty() || ::stat(file.c_str(), &status) != 0) return;
  ::chmod(file.c_str(), (status.st_mode & 07777) | kExecutableBits);
}

}  // namespace code

environment::ArgumentStyle argument_style(const Options& options, bool script_mode) {
  using environment::ArgumentStyle;
  if (options.arguments) return *options.arguments;
  if (!script_mode) return ArgumentStyle::kNone;
  return options.contract == environment::Contract::kV3 ? ArgumentStyle::kJson
                                                        : ArgumentStyle::kToolkit;
}

Result<Command> find_command(const std::vector<std::string>& command_line, const TrainingJob& job,
                             const Options& options, const Environment& inherited) {
  const code::NamedScript script = code::named_script(job, inherited);
  Command command;
  if (!command_line.empty()) {
    command.argv = command_line;
    if (!script.program.empty()) {
      command.warnings.push_back(
          fmt::format("running the command after --, not {} {}", script.origin, script.program));
    }
  } else if (!script.program.empty()) {
    command = TRAINIT_TRY(code::find_script(script, job, options, inherited));
  } else {
    return fail(
        "there is nothing to run: give a command (trainit -- python train.py), or set "
        "SAGEMAKER_PROGRAM or the "
        "hyperparameter sagemaker_program to a script in " +
        job.paths.code);
  }
  command.arguments = TRAINIT_TRY(environment::script_arguments(
      job.hyperparameters, argument_style(options, command.script_mode), options.contract));
  command.argv.insert(command.argv.end(), command.arguments.begin(), command.arguments.end());
  return command;
}

}  // namespace trainit
