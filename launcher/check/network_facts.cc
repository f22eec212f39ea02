// Interfaces with their addresses, RDMA devices, and the libraries that use them.
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <set>

#include "check/libraries.h"
#include "check/network.h"
#include "sys/files.h"

namespace trainit::check {
namespace {

/// By netlink: getifaddrs asks the kernel, and looks nothing up.
std::set<std::string> with_address() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
  std::set<std::string> names;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    const int family = one->ifa_addr == nullptr ? AF_UNSPEC : one->ifa_addr->sa_family;
    if (family == AF_INET || family == AF_INET6) names.insert(one->ifa_name);
  }
  return names;
}

std::vector<InterfaceFacts> interfaces_of(const Hardware& hardware) {
  const auto addressed = with_address();
  std::vector<InterfaceFacts> interfaces;
  interfaces.reserve(hardware.interfaces.size());
  for (const NetworkInterface& one : hardware.interfaces)
    interfaces.push_back({one.name, one.up, addressed.contains(one.name)});
  return interfaces;
}

int verbs_files(const hardware::SystemRoots& roots) {
  const auto names = sys::list_directory(roots.dev + "/infiniband");
  if (!names) return 0;
  return static_cast<int>(std::count_if(
      names->begin(), names->end(), [](const auto& name) { return name.starts_with("uverbs"); }));
}

std::string first_of(const std::vector<std::string>& found) {
  return found.empty() ? std::string() : found.front();
}

}  // namespace

NetworkFacts network_facts(const Subject& subject) {
  NetworkFacts facts;
  if (subject.job.resources.from_platform) facts.wanted = subject.cluster.interface;
  facts.interfaces = interfaces_of(subject.hardware);
  facts.nccl = subject.variable("NCCL_SOCKET_IFNAME");
  facts.gloo = subject.variable("GLOO_SOCKET_IFNAME");
  facts.hosts = subject.cluster.host_count();
  facts.gpus = subject.hardware.gpus.count();
  facts.instance_type = subject.job.resources.instance_type;
  facts.efa_devices = subject.hardware.efa_devices;
  facts.verbs_files = verbs_files(subject.roots.system);
  const auto directories = library_directories(subject.environment, subject.roots.image);
  facts.libfabric = first_of(find_libraries(directories, {"libfabric.so.1"}));
  facts.plugin = first_of(find_libraries(
      directories, {"libnccl-net.so", "libnccl-net-ofi.so", "libnccl-net-aws-ofi.so"}));
  facts.provider = subject.environment.get_or("FI_PROVIDER", "");
  return facts;
}

}  // namespace trainit::check
