#pragma once

#include <optional>
#include <string>
#include <vector>

#include "environment/host_environment.h"
#include "trainit/json.h"
#include "trainit/result.h"

/// What the parts of host_environment() have in common.
namespace trainit::environment {

/// The two files that the v3 drivers upload beside themselves, as the channel "sm_drivers".
struct DriverFiles {
  std::optional<Json> source_code;  ///< sourcecode.json; nothing when not there, or empty
  std::optional<Json> distributed;  ///< distributed.json; the same
};
/// Error: a file that is no JSON.
Result<DriverFiles> read_driver_files(const Paths& paths);

/// Everything that variables are made of, gathered once.
struct HostFacts {
  const TrainingJob& job;
  const Hardware& hardware;
  const Cluster& cluster;
  const Program& program;
  const Environment& inherited;
  Contract contract;
  const Json::Object& hyperparameters;  ///< those that reach the script
  DistributionGroups distribution;
  DriverFiles drivers;

  /// SM_HOSTS: in file order, for v3 sorted as text.
  std::vector<std::string> hosts() const;
  /// SM_CURRENT_HOST_RANK: in rank order, -1 for a host that takes no part; for v3 the place in
  /// `hosts`.
  int host_rank() const;
  int host_count() const;
  /// SM_LOG_LEVEL: the hyperparameter; for v3, which does not know it, the inherited variable;
  /// else 20.
  Json log_level() const;
  int neuron_cores() const;
  Json channel_directories() const;
  std::string module_directory() const;
  /// "train" of "train.py".
  std::string module_name() const;
  std::vector<std::string> group_hosts() const;
  std::vector<std::string> group_names() const;
  /// Each group's object in resourceconfig.json by its name.
  Json groups_by_name() const;
};

/// The value of SM_TRAINING_ENV under the contract.
Json training_environment(const HostFacts& facts);

/// A list of texts.
Json json_list(const std::vector<std::string>& texts);

/// Where ranks meet unless somebody says otherwise, as in SageMaker's own code.
inline constexpr int kMasterPort = 7777;

}  // namespace trainit::environment
