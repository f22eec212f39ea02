#pragma once

#include "check/finding.h"
#include "check/subject.h"
#include "cli.h"
#include "preparation.h"

/// What is checked, put together from the job's files and options.
namespace trainit {

/// For `trainit check`: what cannot be read is a finding, and the rest is looked at all the same.
struct CheckedJob {
  check::Subject subject;
  check::AreaReport job;
};
/// The logger masks the job's secrets from here on. Error: the command line itself is wrong.
Result<CheckedJob> read_for_check(const CommandLine& line, Logger& log);

/// For `--preflight`.
check::Subject check_subject(const JobContext& context, const Preparation& preparation);

/// Says how long what comes now may take, where there are GPUs to try.
void announce_deep_check(const check::Subject& subject, const Logger& log);

}  // namespace trainit
