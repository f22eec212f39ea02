#include "trainit/cluster.h"

#include <algorithm>

#include "cluster/distribution.h"
#include "cluster/host_order.h"

namespace trainit {
namespace {

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> texts_of(const Json& value) {
  if (value.string() != nullptr) return {*value.string()};
  std::vector<std::string> texts;
  if (value.array() == nullptr) return texts;
  for (const Json& item : *value.array()) {
    if (item.string() != nullptr) texts.push_back(*item.string());
  }
  return texts;
}

std::vector<std::string> distribution_groups(const Resources& resources,
                                             const Hyperparameters& hyperparameters) {
  const Json* named = hyperparameters.platform("sagemaker_distribution_instance_groups");
  if (named != nullptr && !named->is_null()) return texts_of(*named);
  return cluster::wants_distribution(hyperparameters)
             ? std::vector<std::string>{resources.group_name}
             : std::vector<std::string>();
}

/// In rank order, each once.
std::vector<std::string> in_rank_order(std::vector<std::string> hosts) {
  std::sort(hosts.begin(), hosts.end(), cluster::host_before);
  hosts.erase(std::unique(hosts.begin(), hosts.end()), hosts.end());
  return hosts;
}

}  // namespace

DistributionGroups DistributionGroups::of(const Resources& resources,
                                          const Hyperparameters& hyperparameters) {
  DistributionGroups result;
  result.groups = distribution_groups(resources, hyperparameters);
  if (resources.groups.empty()) result.hosts = resources.hosts;
  for (const InstanceGroup& group : resources.groups) {
    if (!contains(result.groups, group.name)) continue;
    result.hosts.insert(result.hosts.end(), group.hosts.begin(), group.hosts.end());
  }
  result.master = result.hosts.empty() ? resources.hosts.front() : result.hosts.front();
  return result;
}

Cluster Cluster::of(const Resources& resources, const Hyperparameters& hyperparameters) {
  const DistributionGroups distribution = DistributionGroups::of(resources, hyperparameters);
  Cluster cluster;
  cluster.platform = resources.from_platform ? "sagemaker" : "none";
  cluster.source = resources.from_platform ? "resourceconfig.json" : "this machine";
  cluster.current_host = resources.current_host;
  cluster.hosts = in_rank_order(distribution.hosts.empty() ? resources.hosts : distribution.hosts);
  cluster.leader = cluster.hosts.front();
  const auto here = std::find(cluster.hosts.begin(), cluster.hosts.end(), resources.current_host);
  cluster.host_rank =
      here == cluster.hosts.end() ? -1 : static_cast<int>(here - cluster.hosts.begin());
  cluster.interface = resources.network_interface;
  return cluster;
}

}  // namespace trainit
