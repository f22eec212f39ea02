#pragma once

#include <string>
#include <vector>

#include "trainit/result.h"
#include "trainit/training_job.h"

namespace trainit::job {

/// The directories into which workers write: model, output, and checkpoints when the job has them.
/// Whoever runs the workers as another user gives them to that user.
std::vector<std::string> writable_directories(const TrainingJob& job);

/// Makes the directories above and <output>/data, as far as they are missing, with their parents.
/// Error: one cannot be made, or <output> not be written: a job that can leave no marker would only
/// say so at its end.
Result<void> prepare_directories(const TrainingJob& job);

}  // namespace trainit::job
