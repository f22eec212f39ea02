#pragma once

#include <string>
#include <vector>

#include "trainit/cluster.h"
#include "trainit/environment.h"
#include "trainit/hardware.h"
#include "trainit/result.h"
#include "trainit/training_job.h"

namespace trainit::environment {

/// Whose rules win where the Python toolkit and the SDK's v3 drivers contradict each other. The
/// names of both are set either way. docs/environment.md lists what differs.
enum class Contract { kToolkit, kV3 };

/// What runs in this job, as far as variables speak of it.
struct Program {
  std::string name;       ///< SM_USER_ENTRY_POINT: "train.py"; empty for a command
  std::string source;     ///< SM_MODULE_DIR: where the code came from; empty: the code directory
  std::string directory;  ///< SM_SOURCE_DIR: where the code is; empty: the code directory
};

/// The kernel's limit for one argument and for one "NAME=value", its final NUL included
/// (MAX_ARG_STRLEN): beyond it execve fails with E2BIG, whatever the whole size is.
inline constexpr std::size_t kMaxVariableBytes = std::size_t{128} * 1024;

/// The variables of this host, the same for each of its workers: SM_*, CURRENT_HOST, SAGEMAKER_*,
/// and AWS_DEFAULT_REGION when only AWS_REGION is set. docs/environment.md describes each.
struct HostEnvironment {
  Environment variables;
  /// Names of those that are too long for a process's environment, for a line in the log. An
  /// inherited variable of such a name says something else and is better taken out.
  std::vector<std::string> left_out;
};

/// `inherited` is the environment that our caller gave us; none of its variables is in the result.
/// Nothing is read but the two small files that the v3 drivers come with, and PATH's directories.
/// Errors, each one sentence that names file, key and value: a hyperparameter or channel that no
/// process can be given as a variable (NUL, '=' in a name, lone surrogate); a malformed file.
Result<HostEnvironment> host_environment(const TrainingJob& job, const Hardware& hardware,
                                         const Cluster& cluster, const Program& program,
                                         const Environment& inherited, Contract contract);

/// How hyperparameters become the script's arguments.
enum class ArgumentStyle {
  kToolkit,  ///< sorted by name, `-x` for one letter, Python's text for values
  kJson,     ///< file order, always `--name`, JSON for values: as the v3 drivers do
  kNone,
};

/// The hyperparameters as arguments of the script: the user's own; under the v3 contract the
/// platform's too, which its drivers do not know as such. Errors as above, and a value that is
/// longer than the kernel lets an argument be.
Result<std::vector<std::string>> script_arguments(const Hyperparameters& hyperparameters,
                                                  ArgumentStyle style,
                                                  Contract contract = Contract::kToolkit);

}  // namespace trainit::environment
