// Prints the job's channels and hyperparameters, and touches each part of the public interface, so
// that a symbol that is not installed is missed here.
#include <trainit/trainit.h>

#include <cstdio>

namespace {

int fail_with(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  const auto paths = trainit::Paths::from(trainit::Environment::of_process());
  const auto written = trainit::write_failure(paths, message);
  if (!written) std::fprintf(stderr, "%s\n", written.error().message.c_str());
  return 1;
}

void print(const trainit::TrainingJob& job) {
  for (const trainit::Channel& channel : job.channels) {
    std::printf("channel %s %s\n", channel.name.c_str(), channel.path.c_str());
  }
  for (const auto& [name, value] : job.hyperparameters.user()) {
    std::printf("hyperparameter %s %s\n", name.c_str(), trainit::dump_json(value).c_str());
  }
}

}  // namespace

int main() {
  const auto job = trainit::TrainingJob::load();
  if (!job) return fail_with(job.error().message);
  const auto epochs = job->hyperparameters.integer("epochs", 1);
  if (!epochs) return fail_with(epochs.error().message);
  print(*job);
  const auto cluster = trainit::Cluster::of(job->resources, job->hyperparameters);
  std::printf("rank %d of %d\n", cluster.host_rank, cluster.host_count());
  const auto store = trainit::StoreClient::join_from_environment();
  std::printf("%s\n", store ? "joined the store" : store.error().message.c_str());
  const auto hardware = trainit::detect_hardware(trainit::Environment::of_process());
  std::printf("cpus %d\n", hardware.cpus.usable());
  if (const auto done = trainit::write_success(job->paths); !done) {
    return fail_with(done.error().message);
  }
  return 0;
}
