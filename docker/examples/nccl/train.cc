// Learns handwritten digits on GPUs: the trainer of ../cpp, data parallel, in CUDA and with NCCL.
//
// Every rank takes its part of each batch and computes the gradient of it on its own GPU; NCCL adds
// the gradients up, and all ranks take the same step. So any number of ranks comes to the model
// that one CPU comes to, but for the last digits. On SIGTERM all stop at the same step and rank 0
// writes a checkpoint; started again, they go on from there, and come to the same model.
//
// Channels train and test: digits.csv. Hyperparameters: epochs, batch-size (of all ranks together),
// learning-rate, seed. Needs RANK, LOCAL_RANK and so on, which trainit sets.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "device_network.h"
#include "ranks.h"
#include "saved_state.h"
#include "training.h"

namespace {

using trainit::Result;

volatile std::sig_atomic_t stop_requested = 0;

int local_rank() {
  const char* value = std::getenv("LOCAL_RANK");
  return value == nullptr ? 0 : std::atoi(value);
}

struct Start {
  std::vector<float> state;
  int epochs;  // that are done
};

/// What rank 0 begins with, new or from a checkpoint, which the other hosts need not have.
Result<Start> common_start(const std::string& checkpoints, const Settings& settings, Ranks& ranks) {
  Network network(settings.seed);
  const int done = ranks.first() ? TRAINIT_TRY(resume(checkpoints, network)) : 0;
  std::vector<float> values = network.state();
  values.push_back(static_cast<float>(done));
  auto shared = TRAINIT_TRY(Buffer<float>::of(values, ranks.stream()));
  TRAINIT_TRY(ranks.take_over(shared));
  values = TRAINIT_TRY(shared.download(ranks.stream()));
  const int epochs = static_cast<int>(values.back());
  values.pop_back();
  return Start{std::move(values), epochs};
}

/// The mean loss of one epoch; nothing when a rank was asked to stop in the middle of it.
Result<std::optional<double>> train_epoch(DeviceNetwork& network, std::size_t images,
                                          const Settings& settings, int epoch, Ranks& ranks) {
  TRAINIT_TRY(network.set_order(order_of_epoch(images, settings, epoch)));
  const int count = static_cast<int>(images);
  double loss = 0;
  for (int at = 0; at < count; at += settings.batch_size) {
    const int batch = std::min(settings.batch_size, count - at);
    const auto part = [&](int rank) {
      return static_cast<int>(static_cast<long long>(batch) * rank / ranks.size());
    };
    const int begin = part(ranks.rank()), end = part(ranks.rank() + 1);
    TRAINIT_TRY(network.differentiate(at + begin, end - begin, stop_requested != 0));
    TRAINIT_TRY(ranks.add_up(network.sums()));
    const auto totals = TRAINIT_TRY(network.totals());
    // The sum is the same on all ranks, so that none waits for one that has left.
    if (totals.stop) return std::optional<double>();
    loss += totals.loss;
    TRAINIT_TRY(network.step(batch, settings.learning_rate));
  }
  return std::optional(loss / static_cast<double>(count));
}

Result<void> leave_checkpoint(const std::string& directory, int epochs,
                              const std::vector<float>& state, const Ranks& ranks) {
  if (!ranks.first()) return {};
  TRAINIT_TRY(save(directory, kCheckpoint, {epochs, state}));
  std::printf("asked to stop: checkpoint after epoch %d written to %s\n", epochs,
              directory.c_str());
  return {};
}

/// What has been learnt is a network for the CPU like any other.
Result<void> leave_model(const trainit::TrainingJob& job, const Settings& settings,
                         const std::vector<float>& state, const Ranks& ranks) {
  if (!ranks.first()) return {};
  Network network(settings.seed);
  network.restore(state);
  const std::vector<Image> unseen = TRAINIT_TRY(load_channel(job, "test"));
  std::printf("test_accuracy=%.2f\n", accuracy(network, unseen));
  return save(job.paths.model, kModel, {settings.epochs, network.parameters()});
}

Result<void> train_together(const trainit::TrainingJob& job, const Settings& settings,
                            const std::vector<Image>& images, Ranks& ranks) {
  const std::string checkpoints = checkpoint_directory(job);
  const Start start = TRAINIT_TRY(common_start(checkpoints, settings, ranks));
  const int largest_part = std::min(settings.batch_size, static_cast<int>(images.size()));
  auto network =
      TRAINIT_TRY(DeviceNetwork::make(ranks.stream(), images, start.state, largest_part));
  for (int epoch = start.epochs + 1; epoch <= settings.epochs; ++epoch) {
    const std::vector<float> before = TRAINIT_TRY(network.state());
    const auto loss = TRAINIT_TRY(train_epoch(network, images.size(), settings, epoch, ranks));
    if (!loss) return leave_checkpoint(checkpoints, epoch - 1, before, ranks);
    if (ranks.first()) std::printf("epoch %d loss %.2f\n", epoch, *loss);
  }
  return leave_model(job, settings, TRAINIT_TRY(network.state()), ranks);
}

Result<void> train(const trainit::TrainingJob& job) {
  const Settings settings = TRAINIT_TRY(read_settings(job.hyperparameters));
  const std::vector<Image> images = TRAINIT_TRY(load_channel(job, "train"));
  TRAINIT_TRY(use_device(local_rank()));
  auto ranks = Ranks::meet([] { return stop_requested != 0; });
  if (!ranks && stop_requested) {
    std::printf("asked to stop before all ranks had met\n");
    return {};
  }
  if (!ranks) return tl::unexpected(ranks.error());
  TRAINIT_TRY(train_together(job, settings, images, *ranks));
  return ranks->leave();
}

}  // namespace

int main() {
  std::signal(SIGTERM, [](int) { stop_requested = 1; });
  return run_job(train);
}
