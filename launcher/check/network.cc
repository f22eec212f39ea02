#include "check/network.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace trainit::check {
namespace {

const InterfaceFacts* find(const NetworkFacts& facts, std::string_view name) {
  const auto found = std::find_if(facts.interfaces.begin(), facts.interfaces.end(),
                                  [&](const InterfaceFacts& one) { return one.name == name; });
  return found == facts.interfaces.end() ? nullptr : &*found;
}

std::string names_of(const NetworkFacts& facts) {
  std::vector<std::string> names;
  names.reserve(facts.interfaces.size());
  for (const InterfaceFacts& one : facts.interfaces) names.push_back(one.name);
  return names.empty() ? "none" : join(names, ", ");
}

void judge_interface(const NetworkFacts& facts, AreaReport& report) {
  if (facts.wanted.empty()) return;
  const InterfaceFacts* interface = find(facts, facts.wanted);
  if (interface != nullptr && interface->up && interface->address) return;
  const std::string_view state = interface == nullptr ? "does not exist"
                                 : interface->up      ? "has no address"
                                                      : "is down";
  report.add(facts.hosts > 1 ? Severity::kWarning : Severity::kNote,
             fmt::format("the platform's interface {} {}; there are: {}", facts.wanted, state,
                         names_of(facts)),
             facts.hosts > 1 ? "the hosts are to reach each other over it"
                             : "with one host nothing depends on it",
             "see \"network_interface_name\" in resourceconfig.json; for NCCL and Gloo set "
             "NCCL_SOCKET_IFNAME and GLOO_SOCKET_IFNAME");
}

void judge_nccl(const NetworkFacts& facts, AreaReport& report) {
  if (!facts.nccl || facts.nccl->empty() || !chosen_by_nccl(facts.interfaces, *facts.nccl).empty())
    return;
  report.add(facts.gpus > 0 ? Severity::kError : Severity::kWarning,
             fmt::format("NCCL_SOCKET_IFNAME={} chooses no interface that has an address; there "
                         "are: {}",
                         *facts.nccl, names_of(facts)),
             "NCCL ends with \"no socket interface found\"",
             "unset it, so that trainit sets it where the platform names an interface, or name one "
             "that is there");
}

void judge_gloo(const NetworkFacts& facts, AreaReport& report) {
  if (!facts.gloo || facts.gloo->empty()) return;
  for (const std::string_view name : split(*facts.gloo, ',')) {
    const InterfaceFacts* interface = find(facts, name);
    if (interface != nullptr && interface->address) continue;
    report.add(
        Severity::kError,
        fmt::format("GLOO_SOCKET_IFNAME={}: {} {}; there are: {}", *facts.gloo, name,
                    interface == nullptr ? "does not exist" : "has no address", names_of(facts)),
        "Gloo takes whole names, and init_process_group ends with \"Unable to find address\"",
        "unset it, or name one that is there");
    return;
  }
}

void judge_efa_devices(const NetworkFacts& facts, AreaReport& report) {
  const int expected = expected_efa_devices(facts.instance_type).value_or(0);
  const Severity severity = facts.hosts > 1 ? Severity::kWarning : Severity::kNote;
  if (facts.efa_devices < expected) {
    report.add(
        severity,
        fmt::format("{} has {} EFA device{}, {} found", facts.instance_type, expected,
                    expected == 1 ? "" : "s", facts.efa_devices),
        facts.hosts > 1 ? "NCCL takes TCP then, which is several times slower"
                        : "with one host NCCL does not need it",
        "give the container /dev/infiniband (docker run --device, or the EFA device plugin), "
        "or choose the network with EFA");
  }
  if (facts.efa_devices > facts.verbs_files) {
    report.add(severity,
               fmt::format("the kernel has {} EFA device{}, and the container {} of "
                           "/dev/infiniband/uverbs*",
                           facts.efa_devices, facts.efa_devices == 1 ? "" : "s", facts.verbs_files),
               "libfabric reaches the device through that file, and goes without EFA otherwise",
               "give the container /dev/infiniband/uverbs0 …");
  }
}

void judge_efa_libraries(const NetworkFacts& facts, AreaReport& report) {
  if (facts.efa_devices == 0) return;
  const Severity severity = facts.hosts > 1 ? Severity::kWarning : Severity::kNote;
  if (facts.plugin.empty() || facts.libfabric.empty()) {
    report.add(severity,
               facts.plugin.empty()
                   ? "there are EFA devices, and the image has no aws-ofi-nccl (libnccl-net.so)"
                   : "there are EFA devices, and the image has no libfabric (libfabric.so.1)",
               "NCCL uses EFA through the two of them, and TCP without",
               "install Amazon's EFA packages when the image is built, or add their directory to "
               "LD_LIBRARY_PATH");
  }
  if (!facts.provider.empty() && facts.provider.find("efa") == std::string::npos) {
    report.add(severity, "FI_PROVIDER=" + facts.provider, "libfabric will not use EFA",
               "unset it: libfabric 1.18 and aws-ofi-nccl 1.7 find EFA by themselves");
  }
}

std::string text_of(const NetworkFacts& facts) {
  std::vector<std::string> names;
  for (const InterfaceFacts& one : facts.interfaces) {
    if (one.up && one.address) names.push_back(one.name);
  }
  std::string text = "interfaces with an address: " + (names.empty() ? "none" : join(names, ", "));
  if (facts.nccl && !facts.nccl->empty()) text += " · NCCL_SOCKET_IFNAME=" + *facts.nccl;
  if (facts.gloo && !facts.gloo->empty()) text += " · GLOO_SOCKET_IFNAME=" + *facts.gloo;
  return text + (facts.efa_devices > 0 ? fmt::format(" · {} EFA", facts.efa_devices) : " · no EFA");
}

}  // namespace

std::vector<std::string> chosen_by_nccl(const std::vector<InterfaceFacts>& interfaces,
                                        std::string_view value) {
  const bool others = value.starts_with('^');
  if (others) value.remove_prefix(1);
  const bool whole = value.starts_with('=');
  if (whole) value.remove_prefix(1);
  const auto listed = split(value, ',');
  std::vector<std::string> chosen;
  for (const InterfaceFacts& one : interfaces) {
    const bool named = std::any_of(listed.begin(), listed.end(), [&](std::string_view entry) {
      return whole ? one.name == entry : one.name.starts_with(entry);
    });
    if (one.address && one.up && named != others) chosen.push_back(one.name);
  }
  return chosen;
}

AreaReport judge_network(const NetworkFacts& facts) {
  AreaReport report{.area = "network", .text = text_of(facts), .findings = {}};
  judge_interface(facts, report);
  judge_nccl(facts, report);
  judge_gloo(facts, report);
  judge_efa_devices(facts, report);
  judge_efa_libraries(facts, report);
  return report;
}

}  // namespace trainit::check
