#include "trainit/training_job.h"

#include <fmt/core.h>

#include <algorithm>

#include "job/config_directory.h"
#include "job/other_files.h"
#include "sys/files.h"
#include "sys/host_name.h"

namespace trainit {
namespace {

using job::ConfigDirectory;

std::string missing_directory(const TrainingJob& job) {
  const std::string defaults =
      fmt::format("going on with one host ({}), no channels and no hyperparameters",
                  job.resources.current_host);
  if (job.name.empty()) {
    return fmt::format("there is no job configuration: {} is not there; {}", job.paths.input_config,
                       defaults);
  }
  return fmt::format(
      "TRAINING_JOB_NAME is \"{}\", but {} is not there, which the platform should have written; "
      "{}",
      job.name, job.paths.input_config, defaults);
}

/// One warning for each file, but not when the whole directory is missing, which is said once.
void warn_missing(const ConfigDirectory& config, std::string_view name, std::string_view instead,
                  TrainingJob& job) {
  if (!config.present()) return;
  job.warnings.push_back(
      fmt::format("{} is not there, which the platform should have written; "
                  "going on with {}",
                  config.path_of(name), instead));
}

Result<void> load_resources(const ConfigDirectory& config, TrainingJob& job) {
  constexpr std::string_view kName = "resourceconfig.json";
  const std::optional<Json> file = TRAINIT_TRY(config.read(kName));
  if (!file) {
    warn_missing(config, kName, "one host, " + job.resources.current_host, job);
    return {};
  }
  Result<Resources> resources = Resources::from_json(*file);
  if (!resources) return fail(config.path_of(kName), resources.error());
  job.resources = *std::move(resources);
  return {};
}

Result<void> load_hyperparameters(const ConfigDirectory& config, TrainingJob& job) {
  constexpr std::string_view kName = "hyperparameters.json";
  const std::optional<Json> file = TRAINIT_TRY(config.read(kName));
  if (!file) {
    warn_missing(config, kName, "no hyperparameters", job);
    return {};
  }
  Result<Hyperparameters> hyperparameters = Hyperparameters::from_json(*file);
  if (!hyperparameters) return fail(config.path_of(kName), hyperparameters.error());
  job.hyperparameters = *std::move(hyperparameters);
  return {};
}

/// A job without inputs may have this file empty, or not at all.
Result<void> load_channels(const ConfigDirectory& config, TrainingJob& job) {
  constexpr std::string_view kName = "inputdataconfig.json";
  const std::optional<std::string> text = TRAINIT_TRY(config.read_text(kName));
  if (!text) warn_missing(config, kName, "no channels", job);
  const bool empty = text && job::is_empty(*text);
  if (empty) {
    job.warnings.push_back(config.path_of(kName) + " is empty; going on with no channels");
  }
  if (!text || empty) return {};
  Result<Json> file = Json::parse(*text);
  if (!file) return fail(config.path_of(kName), file.error());
  Result<std::vector<Channel>> channels =
      channels_from_json(*file, job.paths.input_data, &job.warnings);
  if (!channels) return fail(config.path_of(kName), channels.error());
  job.channels = *std::move(channels);
  job.input_data_config = *std::move(file);
  return {};
}

}  // namespace

const Channel* TrainingJob::channel(std::string_view wanted) const {
  const auto found = std::find_if(channels.begin(), channels.end(),
                                  [&](const Channel& channel) { return channel.name == wanted; });
  return found == channels.end() ? nullptr : &*found;
}

TrainingJob TrainingJob::unread(const Environment& environment) {
  TrainingJob job;
  job.paths = Paths::from(environment);
  job.name = environment.get_or("TRAINING_JOB_NAME", "");
  job.arn = environment.get_or("TRAINING_JOB_ARN", "");
  job.resources = Resources::single(sys::host_name());
  job.on_platform = !job.name.empty() || sys::exists(job.paths.input_config);
  return job;
}

Result<TrainingJob> TrainingJob::load(const Environment& environment) {
  TrainingJob job = unread(environment);
  const ConfigDirectory config = TRAINIT_TRY(ConfigDirectory::open(job.paths.input_config));
  TRAINIT_TRY(load_resources(config, job));
  TRAINIT_TRY(load_hyperparameters(config, job));
  TRAINIT_TRY(load_channels(config, job));
  job::read_other_files(config, job);
  if (!config.present()) job.warnings.insert(job.warnings.begin(), missing_directory(job));
  return job;
}

}  // namespace trainit
