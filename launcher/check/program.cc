#include "check/program.h"

#include <fmt/core.h>

namespace trainit::check {

AreaReport judge_program(const ProgramFacts& facts) {
  if (facts.argv.empty() && facts.error.empty())
    return AreaReport::skip("program", "no command was given; give one after --");
  AreaReport report{.area = "program", .text = {}, .findings = {}};
  if (!facts.error.empty()) {
    report.text = "the workers' program cannot be run";
    report.add(Severity::kError, facts.error, "no worker can be started without it",
               "put it into the image, or correct the command or its PATH");
  } else {
    report.text = fmt::format("{} can be run", facts.path);
    if (!facts.interpreter.empty()) report.text += fmt::format(", by {}", facts.interpreter);
  }
  for (const std::string& warning : facts.warnings) {
    report.add(Severity::kNote, warning, "the job may run another program than you meant",
               "change what the sentence names if it is not meant so");
  }
  return report;
}

}  // namespace trainit::check
