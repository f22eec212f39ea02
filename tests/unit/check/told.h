#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "check/finding.h"

/// "error: what was found" of each finding, as they come.
inline std::vector<std::string> told(const trainit::check::AreaReport& report) {
  std::vector<std::string> all;
  for (const auto& finding : report.findings) {
    CHECK(finding.area == report.area);
    CHECK_FALSE(finding.why.empty());
    CHECK_FALSE(finding.remedy.empty());
    all.push_back(std::string(severity_name(finding.severity)) + ": " + finding.what);
  }
  return all;
}

/// The findings are these, by how they begin.
inline void check_told(const trainit::check::AreaReport& report,
                       const std::vector<std::string>& beginnings) {
  const auto all = told(report);
  REQUIRE(all.size() == beginnings.size());
  for (std::size_t index = 0; index < all.size(); ++index) {
    CAPTURE(beginnings[index]);
    CAPTURE(all[index]);
    CHECK(all[index].starts_with(beginnings[index]));
  }
}
