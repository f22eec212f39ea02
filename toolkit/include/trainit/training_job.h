#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "trainit/channels.h"
#include "trainit/environment.h"
#include "trainit/hyperparameters.h"
#include "trainit/paths.h"
#include "trainit/resources.h"
#include "trainit/result.h"

namespace trainit {

/// Everything that the platform wrote down for this job, read once and never changed.
///
/// The platform writes it as JSON files under `<base>/input/config`; README.md and
/// docs/how-a-training-job-works.md show them. Only the first three files are documented by the
/// platform; the rest is used when it is there.
struct TrainingJob {
  Paths paths;
  std::string name;  ///< TRAINING_JOB_NAME; empty outside a platform
  std::string arn;   ///< TRAINING_JOB_ARN; empty outside the real service

  Hyperparameters hyperparameters;
  Json input_data_config = Json::Object{};  ///< inputdataconfig.json as read
  std::vector<Channel> channels;
  Resources resources;

  std::optional<std::chrono::seconds> max_runtime;  ///< trainingjobconfig.json, MaxRuntimeInSeconds
  /// trainingjobconfig.json shows ContainerEntrypoint or ContainerArguments
  bool container_command_given = false;
  std::optional<int> run_number;      ///< init-config.json, jobRunNumber: counts Spot restarts
  std::string checkpoint_directory;   ///< checkpointconfig.json, LocalPath; empty when none
  std::string debugger_directory;     ///< debughookconfig.json, LocalPath; empty when none
  std::string tensorboard_directory;  ///< tensorboardoutputconfig.json, LocalPath; empty when none
  /// <output>/profiler when profilerconfig.json is there and does not disable it; empty when none
  std::string profiler_directory;
  std::vector<std::string> metric_regexes;  ///< metric-definition-regex.json

  /// True when a platform started us: TRAINING_JOB_NAME is set, or the config directory is there.
  bool on_platform = false;
  /// Sentences about what was missing and replaced by a default, and about what was ignored.
  std::vector<std::string> warnings;

  /// The channel of this name; null when there is none.
  const Channel* channel(std::string_view name) const;

  /// What is known without opening any of these files: the paths, the name, whether there is a
  /// platform, and as the only host this machine.
  static TrainingJob unread(const Environment& environment);

  /// Reads the job of this process: base directory and job name from `environment`. It writes and
  /// makes nothing.
  ///
  /// Missing files are defaults with a warning (one host, no channels, no hyperparameters). Errors,
  /// each one sentence: a malformed file (with file, line, column and what was expected), a key of
  /// the wrong kind, a config directory that this user cannot enter (with uid, mode and what to
  /// do). A file that the platform does not document is ignored with a warning when it is
  /// malformed.
  static Result<TrainingJob> load(const Environment& environment = Environment::of_process());
};

}  // namespace trainit
