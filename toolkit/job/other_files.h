#pragma once

#include "job/config_directory.h"
#include "trainit/training_job.h"

namespace trainit::job {

/// Fills what the platform's undocumented files say, as far as they are there: limits of the job,
/// its run number, and the directories of checkpoints, debugger, profiler and TensorBoard. Nobody
/// promised their form, so what cannot be understood becomes a warning.
void read_other_files(const ConfigDirectory& config, TrainingJob& job);

}  // namespace trainit::job
