#pragma once

#include <string>
#include <vector>

#include "trainit/hyperparameters.h"
#include "trainit/resources.h"

namespace trainit {

/// Which hosts take part in this job's distributed part, and who leads.
struct Cluster {
  std::string platform;      ///< "sagemaker" or "none"
  std::string source;        ///< who says so: "resourceconfig.json", "--nnodes", "this machine" …
  std::string current_host;  ///< this host, as the platform names it, also when it takes no part
  /// That take part, in rank order (numeric: algo-2 before algo-10); never empty.
  std::vector<std::string> hosts;
  std::string leader;     ///< hosts[0], or where to find it when its name is not known
  int host_rank = 0;      ///< index of current_host in hosts; -1: it takes no part
  std::string interface;  ///< the platform's network interface, which may not exist
  bool named = true;      ///< the hosts' names can be looked up; else they only number them

  int host_count() const { return static_cast<int>(hosts.size()); }

  /// All hosts, or those of the distribution groups when the job has such groups. Neither the order
  /// of the file nor that of the groups counts, because the platform sorts the one as text and the
  /// other not at all, and every host has to come to the same ranks.
  static Cluster of(const Resources& resources, const Hyperparameters& hyperparameters);
};

/// The rules by which the Python toolkit groups hosts; its variables publish them unsorted.
struct DistributionGroups {
  std::vector<std::string> groups;  ///< SM_DISTRIBUTION_INSTANCE_GROUPS
  std::vector<std::string> hosts;   ///< distribution_hosts, file order
  std::string master;               ///< master_hostname

  /// The groups that `sagemaker_distribution_instance_groups` names; else the current group when
  /// some kind of distribution is switched on; else none.
  static DistributionGroups of(const Resources& resources, const Hyperparameters& hyperparameters);
};

}  // namespace trainit
