#pragma once

#include <string>

#include "trainit/hyperparameters.h"

/// The hyperparameters by which the platform's SDK asks for a distributed run.
namespace trainit::cluster {

/// Some kind of distribution is switched on.
bool wants_distribution(const Hyperparameters& hyperparameters);

/// One of those is that start one process per GPU, with the ranks of torch.distributed.
bool wants_process_per_gpu(const Hyperparameters& hyperparameters);

/// The name of one that is switched on while no such is; empty: there is none.
std::string other_distribution(const Hyperparameters& hyperparameters);

}  // namespace trainit::cluster
