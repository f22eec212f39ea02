#include "check/view.h"

#include <fmt/core.h>

#include "base/text.h"
#include "base/utf8.h"

namespace trainit::check {
namespace {

/// Names of files and modules are the job's, and may hold anything.
std::string shown(const std::string& text) { return escape_controls(text); }

std::string line_of(const AreaReport& area) {
  return fmt::format("{}: {}{}\n", area.area, area.skipped ? "skipped: " : "", shown(area.text));
}

std::string block_of(const Finding& finding) {
  return fmt::format("\n{}: {}: {}\n  why: {}\n  to do: {}\n", severity_name(finding.severity),
                     finding.area, shown(finding.what), shown(finding.why), shown(finding.remedy));
}

std::string last_line(const Report& report) {
  const std::string troubles = report.troubles();
  return "\n" + (troubles.empty() ? "no errors and no warnings" : troubles) + "\n";
}

}  // namespace

std::string to_text(const Report& report) {
  std::string text;
  for (const AreaReport& area : report.areas) text += line_of(area);
  for (const Finding& finding : report.findings()) text += block_of(finding);
  return text + last_line(report);
}

Json::Array findings_json(const Report& report) {
  Json::Array array;
  for (const Finding& finding : report.findings()) {
    array.push_back(Json::Object{{"severity", Json(severity_name(finding.severity))},
                                 {"area", Json(finding.area)},
                                 {"what", Json(utf8::sanitize(finding.what))},
                                 {"why", Json(utf8::sanitize(finding.why))},
                                 {"remedy", Json(utf8::sanitize(finding.remedy))}});
  }
  return array;
}

Json::Array areas_json(const Report& report) {
  Json::Array areas;
  for (const AreaReport& area : report.areas) {
    areas.push_back(Json::Object{{"area", Json(area.area)},
                                 {"skipped", Json(area.skipped)},
                                 {"text", Json(utf8::sanitize(area.text))}});
  }
  return areas;
}

Json to_json(const Report& report) {
  return Json::Object{{"exit_code", Json(report.exit_code())},
                      {"areas", Json(areas_json(report))},
                      {"findings", Json(findings_json(report))}};
}

}  // namespace trainit::check
