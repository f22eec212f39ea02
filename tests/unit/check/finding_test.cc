#include "check/finding.h"

#include "check/job.h"
#include "told.h"

using namespace trainit::check;

namespace {

Report report_with(std::vector<Severity> severities) {
  Report report;
  for (const Severity severity : severities) {
    AreaReport area{.area = "a" + std::to_string(report.areas.size()), .text = "t", .findings = {}};
    area.add(severity, "what", "why", "remedy");
    report.areas.push_back(area);
  }
  return report;
}

}  // namespace

TEST_CASE("the worst finding decides the exit code") {
  using enum Severity;
  CHECK(report_with({}).exit_code() == 0);
  CHECK(report_with({kNote, kNote}).exit_code() == 0);
  CHECK(report_with({kNote, kWarning}).exit_code() == 1);
  CHECK(report_with({kError, kWarning}).exit_code() == 2);
}

TEST_CASE("the worst findings come first, and equals in the order of the areas") {
  using enum Severity;
  std::string order;
  for (const Finding& one : report_with({kNote, kError, kWarning, kError}).findings())
    order += one.area + " ";
  CHECK(order == "a1 a3 a2 a0 ");
}

TEST_CASE("errors and warnings are counted, notes are not trouble") {
  using enum Severity;
  CHECK(report_with({kError, kWarning, kWarning, kNote}).troubles() == "1 error, 2 warnings");
  CHECK(report_with({kNote}).troubles().empty());
}

TEST_CASE("what of the job cannot be read is an error, and what it lacks weighs by the platform") {
  JobFacts facts;
  facts.warnings = {"hyperparameters.json is not there"};
  check_told(judge_job(facts), {"note: hyperparameters.json"});
  facts.on_platform = true;
  facts.errors = {"resourceconfig.json: line 1"};
  check_told(judge_job(facts), {"error: resourceconfig.json", "warning: hyperparameters.json"});
}
