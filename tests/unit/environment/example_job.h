#pragma once

#include <doctest/doctest.h>

#include <string>

#include "environment/host_environment.h"
#include "trainit/training_job.h"

namespace trainit::test {

inline Json parse(std::string_view text) {
  auto value = Json::parse(text);
  REQUIRE_MESSAGE(value.has_value(), text);
  return *std::move(value);
}

inline Hyperparameters hyperparameters(std::string_view file) {
  return *Hyperparameters::from_json(parse(file));
}

/// A job below /opt/ml as the platform would have written it, and one host's view of it.
struct ExampleJob {
  TrainingJob job;
  Hardware hardware;
  std::string place_source;  ///< who says which place it has among the hosts; empty: its file
  environment::Program program;
  Environment inherited;
  environment::Contract contract = environment::Contract::kToolkit;

  explicit ExampleJob(
      std::string_view hyperparameters_file = "{}", std::string_view channels = "{}",
      std::string_view resources = R"({"current_host": "algo-1", "hosts": ["algo-1"]})") {
    job.paths = Paths::below("/opt/ml");
    job.hyperparameters = hyperparameters(hyperparameters_file);
    job.input_data_config = parse(channels);
    job.channels = *channels_from_json(job.input_data_config, job.paths.input_data);
    job.resources = *Resources::from_json(parse(resources));
    job.on_platform = true;
  }

  void inherit(std::string name, std::string value) {
    inherited.set(std::move(name), std::move(value), "inherited");
  }

  Result<environment::HostEnvironment> variables() const {
    Cluster cluster = Cluster::of(job.resources, job.hyperparameters);
    if (!place_source.empty()) cluster.source = place_source;
    return environment::host_environment(job, hardware, cluster, program, inherited, contract);
  }

  /// The variable's value; "(not set)" when it is not there.
  std::string value(std::string_view name) const {
    const auto all = variables();
    REQUIRE_MESSAGE(all.has_value(), all.error().message);
    const std::string* found = all->variables.find(name);
    return found != nullptr ? *found : "(not set)";
  }

  std::string error() const {
    const auto all = variables();
    REQUIRE_FALSE(all.has_value());
    return all.error().message;
  }
};

}  // namespace trainit::test
