#include "check/job.h"

#include <fmt/core.h>

namespace trainit::check {
namespace {

std::string count_of(int number, std::string_view thing) {
  return fmt::format("{} {}{}", number, thing, number == 1 ? "" : "s");
}

}  // namespace

AreaReport judge_job(const JobFacts& facts) {
  AreaReport report{.area = "job", .text = {}, .findings = {}};
  report.text = fmt::format("host {}{} · {} · {} · {}", facts.host,
                            facts.hosts > 1 ? fmt::format(" (one of {})", facts.hosts) : "",
                            facts.instance_type, count_of(facts.channels, "channel"),
                            count_of(facts.hyperparameters, "hyperparameter"));
  if (!facts.errors.empty()) report.text = "its configuration cannot be read";
  for (const std::string& error : facts.errors) {
    report.add(Severity::kError, error, "the job ends with it before its first worker",
               "correct what the sentence names");
  }
  for (const std::string& warning : facts.warnings) {
    report.add(facts.on_platform ? Severity::kWarning : Severity::kNote, warning,
               facts.on_platform ? "the job may not be the one that was asked for"
                                 : "outside a platform that is as it should be",
               "see docs/how-a-training-job-works.md for the files");
  }
  return report;
}

}  // namespace trainit::check
