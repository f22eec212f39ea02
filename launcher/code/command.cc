#include "code/command.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <utility>

#include "base/text.h"
#include "cluster/distribution.h"
#include "sys/files.h"
#include "sys/first_line.h"
#include "sys/process.h"
#include "trainit/cluster.h"

namespace trainit {
namespace code {
namespace {

/// Where images keep their Python environment when no variable names it.
constexpr std::string_view kUsualPythons[] = {"/opt/venv/bin/python", "/venv/bin/python",
                                              "/opt/conda/bin/python"};

constexpr mode_t kExecutableBits = 0111;

bool is_executable(const std::string& path) { return ::access(path.c_str(), X_OK) == 0; }

bool is_in_s3(std::string_view address) { return address.starts_with("s3://"); }

std::string first_names(const std::string& directory) {
  const auto names = sys::list_directory(directory);
  if (!names) return "it cannot be listed";
  if (names->empty()) return "it is empty";
  constexpr std::size_t kShown = 8;
  const bool all = names->size() <= kShown;
  const std::vector<std::string> shown(names->begin(),
                                       all ? names->end() : names->begin() + kShown);
  return "it has " + join(shown, ", ") + (all ? "" : ", …");
}

}  // namespace

EntryPoint entry_point_kind(const std::string& code_directory, const std::string& program) {
  const std::string path = sys::join_path(code_directory, program);
  if (program.ends_with(".sh")) {
    return sys::read_first_line(path).script ? EntryPoint::kExecutable : EntryPoint::kShell;
  }
  if (sys::exists(sys::join_path(code_directory, "setup.py"))) return EntryPoint::kModule;
  if (program.ends_with(".py")) return EntryPoint::kPython;
  if (sys::is_directory(path) && sys::exists(sys::join_path(path, "__main__.py")))
    return EntryPoint::kModule;
  return EntryPoint::kExecutable;
}

std::string module_name(std::string_view program) {
  if (program.starts_with("./")) program.remove_prefix(2);
  if (program.ends_with(".py")) program.remove_suffix(3);
  while (program.ends_with('/')) program.remove_suffix(1);
  std::string name(program);
  for (char& c : name) {
    if (c == '/') c = '.';
  }
  return name;
}

Result<std::string> find_python(const Options& options, const Environment& environment,
                                const std::string& code_directory) {
  const std::string path = environment.get_or("PATH", sys::kDefaultPath);
  const std::string named =
      options.python.empty() ? environment.get_or("SAGEMAKER_PYTHON", "") : options.python;
  if (!named.empty()) {
    const auto found = sys::find_executable(named, path, "");
    // The script runs in the code directory, and the name is of somebody who looked from here.
    if (found && is_executable(*found)) return sys::absolute_path(*found);
    return fail(fmt::format("the Python that {} names, {}, cannot be run: there is no such program",
                            options.python.empty() ? "SAGEMAKER_PYTHON" : "--python", named),
                127);
  }
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    const std::string prefix = environment.get_or(variable, "");
    if (!prefix.empty() && is_executable(prefix + "/bin/python")) return prefix + "/bin/python";
  }
  if (std::string own = code_directory + "/.venv/bin/python"; is_executable(own)) return own;
  for (const std::string_view usual : kUsualPythons) {
    if (is_executable(std::string(usual))) return std::string(usual);
  }
  for (const char* name : {"python3", "python"}) {
    if (const auto found = sys::find_executable(name, path, "")) return *found;
  }
  return fail(fmt::format("the image has no Python (looked for: python3, python in {})", path),
              127);
}

Result<std::string> code_directory(const TrainingJob& job) {
  const std::string submitted =
      job.hyperparameters.platform_text("sagemaker_submit_directory").value_or(job.paths.code);
  std::string directory = submitted;
  if (directory.starts_with("file://")) directory.erase(0, 7);
  if (directory.starts_with("localhost/")) directory.erase(0, std::string_view("localhost").size());
  if (is_in_s3(directory)) {
    // The platform's own toolkit does not fetch into a directory that has something in it either.
    if (sys::any_name_in(job.paths.code, [](std::string_view) { return true; }))
      return sys::absolute_path(job.paths.code);
    return fail(fmt::format(
        "sagemaker_submit_directory is {}, and this trainit does not fetch code from S3: put the "
        "code into the image at {}, or pass it as an input channel and name its directory",
        submitted, job.paths.code));
  }
  if (directory.find("://") != std::string::npos) {
    return fail(fmt::format(
        "sagemaker_submit_directory is {}: expected a local directory or a file:// address",
        submitted));
  }
  if (!sys::exists(directory)) {
    return fail(fmt::format("the code directory {} (sagemaker_submit_directory) does not exist",
                            directory));
  }
  if (!sys::is_directory(directory)) {
    return fail(
        fmt::format("sagemaker_submit_directory is {}, which is a file: expected a directory; "
                    "unpack an archive "
                    "when the image is built",
                    directory));
  }
  return sys::absolute_path(directory);
}

namespace {

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

/// With setup.py the name may be that of a module: "pkg.main" for pkg/main.py or a package.
bool is_module(const std::string& directory, const std::string& program) {
  if (entry_point_kind(directory, program) != EntryPoint::kModule) return false;
  std::string path = module_name(program);
  std::replace(path.begin(), path.end(), '.', '/');
  path = sys::join_path(directory, path);
  return sys::is_regular_file(path + ".py") || sys::is_directory(path);
}

Result<void> check_program(const std::string& directory, const std::string& program) {
  const std::string path = sys::join_path(directory, program);
  if (sys::exists(path) || is_module(directory, program)) return {};
  const std::string advice = sys::is_regular_file(path + ".py")
                                 ? fmt::format("did you mean {}.py?", program)
                                 : first_names(directory);
  return fail(
      fmt::format("{} (sagemaker_program) does not exist in {}: {}", program, directory, advice),
      127);
}

/// A shell takes the CR of a Windows line end for a part of the last word, and may run half of the
/// script before it stumbles over that.
Result<void> check_line_ends(const std::string& path, EntryPoint kind) {
  const sys::FirstLine line = sys::read_first_line(path);
  const bool text = line.script || kind == EntryPoint::kShell;
  if (!text || !line.windows_line_end) return {};
  return fail(fmt::format("cannot run {}: {}", path, line.complaint()), 127);
}

Result<std::vector<std::string>> script_argv(const std::string& directory,
                                             const std::string& program, EntryPoint kind,
                                             const Options& options, const Environment& inherited) {
  const std::string local = program.starts_with('/') ? program : "./" + program;
  const bool by_itself = kind == EntryPoint::kShell || kind == EntryPoint::kExecutable;
  if (by_itself) TRAINIT_TRY(check_line_ends(sys::join_path(directory, program), kind));
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

std::string script_name(const TrainingJob& job, const Environment& inherited) {
  return inherited.get_or("SAGEMAKER_PROGRAM",
                          job.hyperparameters.platform_text("sagemaker_program").value_or(""));
}

Result<Command> find_script(const std::string& program, const TrainingJob& job,
                            const Options& options, const Environment& inherited) {
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
  TRAINIT_TRY(check_program(command.directory, program));
  const EntryPoint kind = entry_point_kind(command.directory, program);
  command.argv = TRAINIT_TRY(script_argv(command.directory, program, kind, options, inherited));
  const std::string file = sys::join_path(command.directory, program);
  if (kind == EntryPoint::kExecutable && wants_executable_bit(command.directory, file))
    command.not_yet_executable = file;
  const std::string inherited_path = inherited.get_or("PYTHONPATH", "");
  command.python_path = command.directory + (inherited_path.empty() ? "" : ":" + inherited_path);
  const std::string submitted =
      job.hyperparameters.platform_text("sagemaker_submit_directory").value_or(command.directory);
  command.program = {program, submitted, command.directory};
  if (is_in_s3(submitted)) {
    command.warnings.push_back(
        fmt::format("sagemaker_submit_directory is {}, which this trainit does not fetch: running "
                    "what is in {}",
                    submitted, command.directory));
  }
  if (sys::exists(sys::join_path(command.directory, "requirements.txt"))) {
    command.warnings.push_back(
        fmt::format("{}/requirements.txt is not installed: this trainit installs nothing; install "
                    "it when the image is built",
                    command.directory));
  }
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
  const std::string program = code::script_name(job, inherited);
  Command command;
  if (!command_line.empty()) {
    command.argv = command_line;
    if (!program.empty()) {
      command.warnings.push_back(
          fmt::format("running the command after --, not sagemaker_program {}", program));
    }
  } else if (!program.empty()) {
    command = TRAINIT_TRY(code::find_script(program, job, options, inherited));
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
