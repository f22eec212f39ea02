#pragma once

#include <string>
#include <vector>

#include "trainit/json.h"
#include "trainit/result.h"

namespace trainit {

/// Machines of one type, one of "instance_groups".
struct InstanceGroup {
  std::string name;                ///< "instance_group_name"
  std::string instance_type;       ///< "ml.p5.48xlarge"
  std::vector<std::string> hosts;  ///< in file order, which the platform does not sort
};

/// What resourceconfig.json says of the job's machines.
struct Resources {
  std::string current_host;                       ///< "current_host": the name of this one
  std::vector<std::string> hosts;                 ///< in file order; never empty, no name twice
  std::string instance_type = "local";            ///< "current_instance_type"
  std::string group_name = "homogeneousCluster";  ///< "current_group_name"
  std::vector<InstanceGroup> groups;              ///< in file order
  std::string network_interface = "eth0";  ///< "network_interface_name": which need not exist
  Json topology = Json::Array{};           ///< "topology", as it is
  Json file = Json::Object{};              ///< the whole object as read
  bool from_platform = false;  ///< false: there was no file, and this is one host by itself

  /// Errors: it is no object, "hosts" or "current_host" is missing, the current host is not among
  /// the hosts, a host stands there twice, a key of the wrong kind. Absent others get the defaults
  /// above.
  static Result<Resources> from_json(const Json& file);
  /// One host that is named `host`, for a run outside a platform. `file` is what a platform would
  /// have written for it.
  static Resources single(const std::string& host);
};

}  // namespace trainit
