#include "check/rendezvous.h"

#include <fmt/core.h>

namespace trainit::check {

AreaReport judge_rendezvous(const RendezvousFacts& facts) {
  AreaReport report{.area = "rendezvous", .text = {}, .findings = {}};
  const std::string who =
      fmt::format("{} process{}", facts.processes, facts.processes == 1 ? "" : "es");
  if (facts.trouble.empty()) {
    report.text =
        fmt::format("{} met at a store on loopback within {:.0f} ms", who, facts.seconds * 1000);
  } else {
    report.text = who + " did not meet on loopback";
    report.add(Severity::kError, report.text + ": " + facts.trouble,
               "init_process_group meets at such a store, and would wait there for its timeout",
               "see that the interface lo is up, that nothing filters 127.0.0.1, and the limits of "
               "processes");
  }
  return report;
}

}  // namespace trainit::check
