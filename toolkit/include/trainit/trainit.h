#pragma once

/// All of the library:
///
///     #include <trainit/trainit.h>
///
///     int main() {
///       const auto job = trainit::TrainingJob::load();
///       if (!job) {
///         const auto paths = trainit::Paths::from(trainit::Environment::of_process());
///         (void)trainit::write_failure(paths, job.error().message);
///         return 1;
///       }
///       const auto epochs = job->hyperparameters.integer("epochs", 10);
///       const trainit::Channel* train = job->channel("train");
///       …
///     }
#include "trainit/channels.h"
#include "trainit/cluster.h"
#include "trainit/environment.h"
#include "trainit/hardware.h"
#include "trainit/hyperparameters.h"
#include "trainit/json.h"
#include "trainit/outcome.h"
#include "trainit/paths.h"
#include "trainit/resources.h"
#include "trainit/result.h"
#include "trainit/store.h"
#include "trainit/training_job.h"
