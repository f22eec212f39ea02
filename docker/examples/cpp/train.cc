// Learns handwritten digits, in C++ alone: an example of a trainer that uses trainit's library.
//
// It asks the library what the platform wrote (channels, hyperparameters, directories), trains, and
// leaves the model in the model directory. When it cannot go on it says why in the failure file. On
// SIGTERM it writes a checkpoint and ends well; started again, it goes on from there and comes to
// the same model.
//
// Channels train and test: digits.csv. Hyperparameters: epochs, batch-size, learning-rate, seed.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>

#include "saved_state.h"
#include "training.h"

namespace {

using trainit::Result;

volatile std::sig_atomic_t stop_requested = 0;

/// The mean loss of one epoch; nothing when a stop was asked for in the middle of it.
std::optional<double> train_epoch(Network& network, const std::vector<Image>& images,
                                  const Settings& settings, int epoch) {
  const auto order = order_of_epoch(images.size(), settings, epoch);
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

}  // namespace

int main() {
  std::signal(SIGTERM, [](int) { stop_requested = 1; });
  return run_job(train);
}
