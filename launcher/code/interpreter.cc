#include "code/interpreter.h"

#include <fmt/core.h>

#include <cerrno>
#include <string_view>

#include "sys/files.h"
#include "sys/process.h"

namespace trainit::code {
namespace {

/// Where images keep their Python environment when no variable names it.
constexpr std::string_view kUsualPythons[] = {"/opt/venv/bin/python", "/venv/bin/python",
                                              "/opt/conda/bin/python"};

bool is_executable(const std::string& path) { return sys::execute_errno(path) == 0; }

Result<std::string> named_python(const std::string& name, std::string_view origin,
                                 const std::string& path) {
  const auto found = sys::find_executable(name, path, "");
  const int error = found ? sys::execute_errno(*found) : found.error().errno_value;
  if (error == 0) return *found;
  const bool nowhere = !found && error == ENOENT;
  return fail(fmt::format("the Python that {} names, {}, cannot be run: {}", origin, name,
                          nowhere ? "there is no such program in " + path
                                  : sys::why_exec_fails(error, found ? *found : name)),
              sys::SpawnError{sys::SpawnStage::kExec, error}.exit_code());
}

/// python3, else python, as PATH finds it; empty: there is none.
std::string python_of(const std::string& path) {
  for (const char* name : {"python3", "python"}) {
    if (const auto found = sys::find_executable(name, path, "")) return *found;
  }
  return {};
}

/// Whether a program lies in a virtual or conda environment: an image may be in one by its PATH
/// alone.
bool lies_in_environment(const std::string& program) {
  const std::string prefix =
      sys::parent_directory(sys::parent_directory(sys::absolute_path(program)));
  return sys::exists(prefix + "/pyvenv.cfg") || sys::exists(prefix + "/conda-meta");
}

Result<std::string> any_python(const Environment& environment, const std::string& code_directory,
                               const std::string& path) {
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    const std::string prefix = environment.get_or(variable, "");
    if (!prefix.empty() && is_executable(prefix + "/bin/python")) return prefix + "/bin/python";
  }
  if (std::string own = code_directory + "/.venv/bin/python"; is_executable(own)) return own;
  std::string of_path = python_of(path);
  if (!of_path.empty() && lies_in_environment(of_path)) return of_path;
  for (const std::string_view usual : kUsualPythons) {
    if (is_executable(std::string(usual))) return std::string(usual);
  }
  if (!of_path.empty()) return of_path;
  return fail(fmt::format("the image has no Python (looked for: python3, python in {})", path),
              127);
}

}  // namespace

Result<std::string> find_python(const Options& options, const Environment& environment,
                                const std::string& code_directory) {
  const std::string path = environment.get_or("PATH", sys::kDefaultPath);
  const std::string of_platform = environment.get_or("SAGEMAKER_PYTHON", "");
  Result<std::string> python =
      !options.python.empty() ? named_python(options.python, "--python", path)
      : !of_platform.empty()  ? named_python(of_platform, "SAGEMAKER_PYTHON", path)
                              : any_python(environment, code_directory, path);
  // It was looked for from here, and the script runs in the code directory.
  if (python) python = sys::absolute_path(*python);
  return python;
}

}  // namespace trainit::code
