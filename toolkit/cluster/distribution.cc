#include "cluster/distribution.h"

#include <algorithm>
#include <iterator>

namespace trainit::cluster {
namespace {

struct Switch {
  const char* name;
  bool process_per_gpu;
};

constexpr Switch kSwitches[] = {
    {"sagemaker_mpi_enabled", false},
    {"sagemaker_parameter_server_enabled", false},
    {"sagemaker_distributed_dataparallel_enabled", true},
    {"sagemaker_pytorch_ddp_enabled", true},
    {"sagemaker_pytorch_xla_multi_worker_enabled", false},
    {"sagemaker_multi_worker_mirrored_strategy_enabled", false},
    {"sagemaker_torch_distributed_enabled", true},
};

}  // namespace

bool wants_distribution(const Hyperparameters& hyperparameters) {
  return std::any_of(std::begin(kSwitches), std::end(kSwitches),
                     [&](const Switch& one) { return hyperparameters.platform_flag(one.name); });
}

bool wants_process_per_gpu(const Hyperparameters& hyperparameters) {
  return std::any_of(std::begin(kSwitches), std::end(kSwitches), [&](const Switch& one) {
    return one.process_per_gpu && hyperparameters.platform_flag(one.name);
  });
}

std::string other_distribution(const Hyperparameters& hyperparameters) {
  if (wants_process_per_gpu(hyperparameters)) return {};
  const auto* const found =
      std::find_if(std::begin(kSwitches), std::end(kSwitches),
                   [&](const Switch& one) { return hyperparameters.platform_flag(one.name); });
  return found == std::end(kSwitches) ? "" : found->name;
}

}  // namespace trainit::cluster
