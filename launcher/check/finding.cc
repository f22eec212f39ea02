#include "check/finding.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"

namespace trainit::check {

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::kNote:
      return "note";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      break;
  }
  return "error";
}

AreaReport AreaReport::skip(std::string area, std::string why) {
  AreaReport report;
  report.area = std::move(area);
  report.text = std::move(why);
  report.skipped = true;
  return report;
}

void AreaReport::add(Severity severity, std::string what, std::string why, std::string remedy) {
  findings.push_back({severity, area, std::move(what), std::move(why), std::move(remedy)});
}

std::vector<Finding> Report::findings() const {
  std::vector<Finding> all;
  for (const Severity severity : {Severity::kError, Severity::kWarning, Severity::kNote}) {
    for (const AreaReport& area : areas) {
      std::copy_if(area.findings.begin(), area.findings.end(), std::back_inserter(all),
                   [severity](const Finding& one) { return one.severity == severity; });
    }
  }
  return all;
}

std::size_t Report::count(Severity severity) const {
  const auto all = findings();
  return static_cast<std::size_t>(std::count_if(
      all.begin(), all.end(), [&](const Finding& one) { return one.severity == severity; }));
}

int Report::exit_code() const {
  if (count(Severity::kError) > 0) return 2;
  return count(Severity::kWarning) > 0 ? 1 : 0;
}

std::string Report::troubles() const {
  std::vector<std::string> parts;
  for (const Severity severity : {Severity::kError, Severity::kWarning}) {
    const std::size_t number = count(severity);
    if (number > 0)
      parts.push_back(
          fmt::format("{} {}{}", number, severity_name(severity), number == 1 ? "" : "s"));
  }
  return join(parts, ", ");
}

}  // namespace trainit::check
