// trainit check [options] [-- command…]: looks for what would make the job fail on this machine, in
// this image, and starts no worker.
//
// Promises: exit 0 when nothing is worse than a note, 1 with warnings, 2 with errors; 125 when the
// check itself cannot be made. Files of the job that cannot be read are errors among the others.
// Nothing of the user's is executed, and nothing is left behind. A stop signal ends it within a
// second.
#include <fmt/core.h>

#include "check/checks.h"
#include "check/view.h"
#include "check_subject.h"
#include "commands/commands.h"
#include "commands/print.h"

namespace trainit::commands {
namespace {

/// Before they are written down in any form: JSON spells some characters of a secret otherwise.
void mask_secrets(check::Report& report, const Logger& log) {
  for (check::AreaReport& area : report.areas) {
    area.text = log.masked(area.text);
    for (check::Finding& finding : area.findings) {
      for (std::string* text : {&finding.what, &finding.why, &finding.remedy})
        *text = log.masked(*text);
    }
  }
}

Result<int> run(const CommandLine& line, Logger& log) {
  const CheckedJob checked = TRAINIT_TRY(read_for_check(line, log));
  const bool deep = line.deep || checked.subject.options.preflight == Preflight::kDeep;
  if (deep) announce_deep_check(checked.subject, log);
  check::Report report = check::check_all(checked.subject, deep);
  report.areas.insert(report.areas.begin(), checked.job);
  const SignalRules rules = signal_rules(checked.subject.options);
  if (const auto came = sys::pending_signal(rules.stops())) {
    const int signal = rules.rewrite(*came);
    return fail(fmt::format("stopped by {}", sys::signal_name(signal)), 128 + signal);
  }
  mask_secrets(report, log);
  const std::string text = line.format == "json"
                               ? dump_json(check::to_json(report), JsonStyle::kPython) + "\n"
                               : check::to_text(report);
  const int failed = print(text, log);
  return failed != 0 ? failed : report.exit_code();
}

}  // namespace

int check(const CommandLine& line, Logger& log) {
  const Result<int> code = run(line, log);
  if (code) return *code;
  log.error("{}", code.error().message);
  return code.error().exit_code;
}

}  // namespace trainit::commands
