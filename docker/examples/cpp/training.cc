#include "training.h"

#include <algorithm>
#include <cfloat>
#include <climits>
#include <cstdio>
#include <numeric>
#include <random>

#include "saved_state.h"

using trainit::Result;

Result<Settings> read_settings(const trainit::Hyperparameters& hyperparameters) {
  const auto epochs = TRAINIT_TRY(hyperparameters.integer("epochs", 10));
  const auto batch_size = TRAINIT_TRY(hyperparameters.integer("batch-size", 64));
  const auto learning_rate = TRAINIT_TRY(hyperparameters.number("learning-rate", 0.1));
  const auto seed = TRAINIT_TRY(hyperparameters.integer("seed", 1));
  const auto is_count = [](std::int64_t number) { return number >= 1 && number <= INT_MAX; };
  if (!is_count(epochs) || !is_count(batch_size)) {
    return trainit::fail("epochs and batch-size must be positive, and at most " +
                         std::to_string(INT_MAX));
  }
  if (!(learning_rate >= FLT_MIN && learning_rate <= FLT_MAX))
    return trainit::fail("learning rate must be positive, and within the range of a float");
  if (seed < 0 || seed > UINT_MAX) {
    return trainit::fail("seed must not be negative, and at most " + std::to_string(UINT_MAX));
  }
  return Settings{static_cast<int>(epochs), static_cast<int>(batch_size),
                  static_cast<float>(learning_rate), static_cast<unsigned>(seed)};
}

Result<std::vector<Image>> load_channel(const trainit::TrainingJob& job, const char* name) {
  const trainit::Channel* channel = job.channel(name);
  if (channel == nullptr) return trainit::fail(std::string("the job has no channel ") + name);
  return load_digits(channel->path);
}

std::string checkpoint_directory(const trainit::TrainingJob& job) {
  return job.checkpoint_directory.empty() ? job.paths.output_data + "/checkpoint"
                                          : job.checkpoint_directory;
}

Result<int> resume(const std::string& directory, Network& network) {
  const std::string path = directory + "/" + kCheckpoint;
  const std::optional<SavedState> saved = TRAINIT_TRY(load(path));
  if (!saved) return 0;
  if (!network.restore(saved->values)) {
    return trainit::fail(path + " is not of this network; remove it to begin anew");
  }
  std::printf("going on after epoch %d\n", saved->epochs);
  return saved->epochs;
}

std::vector<std::size_t> order_of_epoch(std::size_t images, const Settings& settings, int epoch) {
  std::vector<std::size_t> order(images);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random(settings.seed + static_cast<unsigned>(epoch));
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

double accuracy(const Network& network, const std::vector<Image>& images) {
  const auto right = std::count_if(images.begin(), images.end(), [&](const Image& image) {
    return network.classify(image) == image.digit;
  });
  return static_cast<double>(right) / static_cast<double>(images.size());
}

static int fail_job(const trainit::Paths& paths, const trainit::Error& error) {
  std::fprintf(stderr, "error: %s\n", error.message.c_str());
  if (error.exit_code == kBecauseOfOthers) return 1;
  if (const auto written = trainit::write_failure(paths, error.message); !written) {
    std::fprintf(stderr, "error: %s\n", written.error().message.c_str());
  }
  return 1;
}

int run_job(Result<void> (*train)(const trainit::TrainingJob& job)) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // each line is seen when it is printed
  const auto environment = trainit::Environment::of_process();
  const auto job = trainit::TrainingJob::load(environment);
  if (!job) return fail_job(trainit::Paths::from(environment), job.error());
  for (const std::string& warning : job->warnings) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }
  const auto trained = train(*job);
  return trained ? 0 : fail_job(job->paths, trained.error());
}
