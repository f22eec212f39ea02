#pragma once

#include <trainit/trainit.h>

#include <optional>
#include <string>
#include <vector>

#include "digits.h"
#include "network.h"

inline constexpr const char* kCheckpoint = "checkpoint.txt";
inline constexpr const char* kModel = "model.txt";

/// The job's hyperparameters: epochs, batch-size, learning-rate, seed.
struct Settings {
  int epochs, batch_size;
  float learning_rate;
  unsigned seed;
};

trainit::Result<Settings> read_settings(const trainit::Hyperparameters& hyperparameters);

/// The images of a channel's digits.csv.
trainit::Result<std::vector<Image>> load_channel(const trainit::TrainingJob& job, const char* name);

/// Where checkpoints outlive a restart, when the job has such a place; else below the output.
std::string checkpoint_directory(const trainit::TrainingJob& job);

/// Goes on from a checkpoint when there is one; gives the number of epochs that are done.
trainit::Result<int> resume(const std::string& directory, Network& network);

/// The order of the images in an epoch. It depends on the epoch's number alone, so that a resumed
/// job takes the same way.
std::vector<std::size_t> order_of_epoch(std::size_t images, const Settings& settings, int epoch);

/// The share of images whose digit it tells.
double accuracy(const Network& network, const std::vector<Image>& images);

/// The exit code in an error whose reason is most likely another rank's, which leaves it.
inline constexpr int kBecauseOfOthers = 1;

/// The whole program: loads the job, trains, and returns the exit code. When it cannot go on, the
/// reason is in the failure file, which the platform shows to whoever started the job, unless the
/// error's exit code is kBecauseOfOthers: only the first reason is worth showing.
int run_job(trainit::Result<void> (*train)(const trainit::TrainingJob& job));
