#pragma once

#include <string>
#include <vector>

#include "trainit/cluster.h"
#include "trainit/environment.h"
#include "trainit/hardware.h"
#include "trainit/result.h"
#include "trainit/training_job.h"

namespace trainit::environment {

/// Whose rules win where the Python toolkit and the SDK's v3 drivers contradict each other. Both sets of
/// names are always set.
enum class Contract { kToolkit, kV3 };

/// What runs in this job, as far as variables speak of it.
struct Program {
  std::string name;    ///< SM_USER_ENTRY_POINT: "train.py"; empty for a command
  std::string source;  ///< SM_MODULE_DIR: where the code came from
};

/// One kernel limit: an environment string of this many bytes (MAX_ARG_STRLEN) makes execve fail with
/// E2BIG, whatever the whole size is.
inline constexpr std::size_t kMaxVariableBytes = 128 * 1024;

/// The variables of this host, the same for each of its workers: SM_*, CURRENT_HOST, SAGEMAKER_*.
///
/// `left_out` gets the name of each aggregate that is too long for a process's environment. Errors:
/// a hyperparameter or channel that no process can be given as a variable (NUL, '=', lone surrogate).
struct HostEnvironment {
  Environment variables;
  std::vector<std::string> left_out;
};
Result<HostEnvironment> host_environment(const TrainingJob& job, const Hardware& hardware,
                                         const Cluster& cluster, const Program& program,
                                         const Environment& inherited, Contract contract);

/// How hyperparameters become the script's arguments.
enum class ArgumentStyle {
  kToolkit,  ///< sorted by name, `-x` for one letter, Python's text for values
  kJson,     ///< file order, always `--name`, JSON for values: as the v3 drivers do
  kNone,
};
/// The user's hyperparameters as arguments of the script. Errors as above.
Result<std::vector<std::string>> script_arguments(const Hyperparameters& hyperparameters, ArgumentStyle style);

}  // namespace trainit::environment
