#include "coordination/difference.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

namespace trainit::coordination {
namespace {

const message::Fact* fact_named(const message::Report& report, const std::string& name) {
  const auto found = std::find_if(report.facts.begin(), report.facts.end(),
                                  [&](const message::Fact& fact) { return fact.name == name; });
  return found == report.facts.end() ? nullptr : &*found;
}

std::string value_text(const message::Fact* fact) {
  if (fact == nullptr) return "not there";
  return fact->shown ? fact->value : "another value";
}

std::string difference(const HostReport& first, const HostReport& other) {
  std::set<std::string> names;
  for (const message::Fact& fact : first.report.facts) names.insert(fact.name);
  for (const message::Fact& fact : other.report.facts) names.insert(fact.name);
  for (const std::string& name : names) {
    const message::Fact* here = fact_named(first.report, name);
    const message::Fact* there = fact_named(other.report, name);
    if (here != nullptr && there != nullptr && here->value == there->value) continue;
    return fmt::format(
        "the hosts of this job differ in {}: {} on {}, {} on {}; it has to be the "
        "same on all of them",
        name, here != nullptr && !here->shown ? "one value" : value_text(here), first.host,
        value_text(there), other.host);
  }
  return {};
}

}  // namespace

std::string difference(const std::vector<HostReport>& reports) {
  for (std::size_t index = 1; index < reports.size(); ++index) {
    std::string differs = difference(reports.front(), reports[index]);
    if (!differs.empty()) return differs;
  }
  return {};
}

}  // namespace trainit::coordination
