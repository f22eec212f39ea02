#pragma once

#include "check/finding.h"
#include "check/subject.h"

/// The areas put together. A stop signal ends every wait, so that a report may be cut short: who
/// calls these looks whether one came.
namespace trainit::check {

/// Everything that is looked at, for `trainit check`: the imports of a script and a rendezvous too;
/// with `deep` also what the GPUs can do.
Report check_all(const Subject& subject, bool deep);

/// What takes well under a second, for `--preflight`: nothing of the image is run.
Report check_quickly(const Subject& subject);

/// For `--preflight=deep`: the same, and what the GPUs can do where nothing else is in the job's
/// way. The job's Python is asked where NCCL lies.
Report check_deeply(const Subject& subject);

}  // namespace trainit::check
