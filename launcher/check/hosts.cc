#include "check/hosts.h"

#include <fmt/core.h>

namespace trainit::check {

AreaReport judge_hosts(const HostsFacts& facts) {
  if (facts.names.empty()) return AreaReport::skip("hosts", "there are no names to look up");
  AreaReport report{.area = "hosts", .text = {}, .findings = {}};
  std::size_t missing = 0;
  for (const HostsFacts::Name& name : facts.names) {
    if (name.trouble.empty()) continue;
    ++missing;
    report.add(Severity::kWarning, fmt::format("{} has no address: {}", name.host, name.trouble),
               "hosts find each other by name, and a job waits until all of them have one",
               "on a platform it may come within seconds of the start; else see /etc/hosts and the "
               "name servers of /etc/resolv.conf");
  }
  report.text = fmt::format("{} of {} names have addresses, found within {:.0f} ms",
                            facts.names.size() - missing, facts.names.size(), facts.seconds * 1000);
  return report;
}

}  // namespace trainit::check
