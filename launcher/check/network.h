#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "check/finding.h"
#include "check/subject.h"

/// Area "network": the interfaces that workers use, and Elastic Fabric Adapters.
namespace trainit::check {

struct InterfaceFacts {
  std::string name;
  bool up = false;
  bool address = false;  ///< it has one of IPv4 or IPv6
};

struct NetworkFacts {
  std::string wanted;  ///< the platform's interface; empty: there is no platform
  std::vector<InterfaceFacts> interfaces;
  std::optional<std::string> nccl, gloo;  ///< NCCL_SOCKET_IFNAME, GLOO_SOCKET_IFNAME
  int hosts = 1;
  int gpus = 0;
  std::string instance_type;
  int efa_devices = 0;    ///< that the kernel shows
  int verbs_files = 0;    ///< /dev/infiniband/uverbs*, by which programs reach RDMA devices
  std::string libfabric;  ///< its path; empty: not found
  std::string plugin;     ///< of the one that NCCL needs for EFA; empty: not found
  std::string provider;   ///< FI_PROVIDER; empty: not set
};
NetworkFacts network_facts(const Subject& subject);

AreaReport judge_network(const NetworkFacts& facts);

/// The interfaces that NCCL would take by a value of NCCL_SOCKET_IFNAME: names begin with one of
/// the list, or are one of it ("=eth0"), or not ("^docker", "^=lo"). Those without an address do
/// not count.
std::vector<std::string> chosen_by_nccl(const std::vector<InterfaceFacts>& interfaces,
                                        std::string_view value);

}  // namespace trainit::check
