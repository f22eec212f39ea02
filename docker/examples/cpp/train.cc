// Learns handwritten digits, in C++ alone: an example of a trainer that uses trainit's library.
//
// It asks the library what the platform wrote (channels, hyperparameters, directories), trains, and
// leaves the model in the model directory. When it cannot go on it says why in the failure file. On
// SIGTERM it writes a checkpoint and ends well; started again, it goes on from there and comes to
// the same model.
//
// Channels train and test: digits.csv. Hyperparameters: epochs, batch-size, learning-rate, seed.

#include <trainit/trainit.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <numeric>
#include <optional>
#include <random>

#include "digits.h"
#include "network.h"
#include "saved_state.h"

namespace {

using trainit::Result;

volatile std::sig_atomic_t stop_requested = 0;

constexpr const char* kCheckpoint = "checkpoint.txt";
constexpr const char* kModel = "model.txt";

struct Settings {
  int epochs, batch_size;
  float learning_rate;
  unsigned seed;
};

Result<Settings> read_settings(const trainit::Hyperparameters& hyperparameters) {
  const auto epochs = TRAINIT_TRY(hyperparameters.integer("epochs", 10));
  const auto batch_size = TRAINIT_TRY(hyperparameters.integer("batch-size", 64));
  const auto learning_rate = TRAINIT_TRY(hyperparameters.number("learning-rate", 0.1));
  const auto seed = TRAINIT_TRY(hyperparameters.integer("seed", 1));
  if (epochs < 1 || batch_size < 1) return trainit::fail("epochs and batch-size must be positive");
  if (!(learning_rate > 0)) return trainit::fail("learning rate must be positive");
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

/// Goes on from a checkpoint when there is one; gives the number of epochs that are done.
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

/// The order of an epoch depends on its number alone, so that a resumed job takes the same way.
std::vector<std::size_t> shuffled(std::size_t count, unsigned seed) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

/// The mean loss of one epoch; nothing when a stop was asked for in the middle of it.
std::optional<double> train_epoch(Network& network, const std::vector<Image>& images,
                                  const Settings& settings, int epoch) {
  const auto order = shuffled(images.size(), settings.seed + static_cast<unsigned>(epoch));
  const auto size = static_cast<std::size_t>(settings.batch_size);
  double loss = 0;
  for (std::size_t at = 0; at < order.size(); at += size) {
    if (stop_requested) return std::nullopt;
    const std::span batch(order.data() + at, std::min(size, order.size() - at));
    loss +=
        network.learn(images, batch, settings.learning_rate) * static_cast<double>(batch.size());
  }
  return loss / static_cast<double>(images.size());
}

double accuracy(const Network& network, const std::vector<Image>& images) {
  const auto right = std::count_if(images.begin(), images.end(), [&](const Image& image) {
    return network.classify(image) == image.digit;
  });
  return static_cast<double>(right) / static_cast<double>(images.size());
}

Result<void> train(const trainit::TrainingJob& job) {
  const Settings settings = TRAINIT_TRY(read_settings(job.hyperparameters));
  const std::vector<Image> images = TRAINIT_TRY(load_channel(job, "train"));
  const std::string checkpoints = checkpoint_directory(job);
  Network network(settings.seed);
  const int done = TRAINIT_TRY(resume(checkpoints, network));
  for (int epoch = done + 1; epoch <= settings.epochs; ++epoch) {
    const std::vector<float> before = network.state();
    const std::optional<double> loss = train_epoch(network, images, settings, epoch);
    if (!loss) {
      TRAINIT_TRY(save(checkpoints, kCheckpoint, {epoch - 1, before}));
      std::printf("asked to stop: checkpoint after epoch %d written to %s\n", epoch - 1,
                  checkpoints.c_str());
      return {};
    }
    std::printf("epoch %d loss %.2f\n", epoch, *loss);
  }
  const std::vector<Image> unseen = TRAINIT_TRY(load_channel(job, "test"));
  std::printf("test_accuracy=%.2f\n", accuracy(network, unseen));
  return save(job.paths.model, kModel, {settings.epochs, network.parameters()});
}

/// The platform shows the failure file's text to whoever started the job.
int fail_job(const trainit::Paths& paths, const std::string& reason) {
  std::fprintf(stderr, "error: %s\n", reason.c_str());
  if (const auto written = trainit::write_failure(paths, reason); !written) {
    std::fprintf(stderr, "error: %s\n", written.error().message.c_str());
  }
  return 1;
}

}  // namespace

int main() {
  std::signal(SIGTERM, [](int) { stop_requested = 1; });
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // each line is seen when it is printed
  const auto environment = trainit::Environment::of_process();
  const auto job = trainit::TrainingJob::load(environment);
  if (!job) return fail_job(trainit::Paths::from(environment), job.error().message);
  for (const std::string& warning : job->warnings) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  }
  const auto trained = train(*job);
  return trained ? 0 : fail_job(job->paths, trained.error().message);
}
