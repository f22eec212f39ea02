#pragma once

#include <string>

#include "check/finding.h"
#include "trainit/json.h"

/// A report for people and for programs; docs/check.md has the members.
namespace trainit::check {

/// A line an area, then the findings, worst first, and how many there are.
std::string to_text(const Report& report);

/// Name and text of each, and whether it was skipped.
Json::Array areas_json(const Report& report);

/// Severity, area, what, why and remedy of each, worst first.
Json::Array findings_json(const Report& report);

/// The areas, the findings and the exit code.
Json to_json(const Report& report);

}  // namespace trainit::check
