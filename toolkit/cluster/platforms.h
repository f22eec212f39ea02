#pragma once

#include <string>
#include <vector>

#include "trainit/cluster.h"
#include "trainit/result.h"
#include "trainit/training_job.h"

/// Which platform says who is who. Several may be there at once, one inside the other: they are
/// asked in the order of the table, and the first that knows is believed. One file a platform.
namespace trainit::cluster {

/// What a person has said of it; it wins over what is found.
struct Choice {
  std::string platform = {};  ///< its name; empty: whichever is found
  int nodes = 0;              ///< 0: not said
  int node_rank = -1;         ///< too
  std::string leader =
      {};  ///< a host of the job, or with `nodes` its name or address; empty: not said
};

/// What a platform is asked with.
struct Question {
  const TrainingJob& job;
  const Choice& choice;
};

struct Platform {
  const char* name;
  bool (*is_here)(const Question& question);
  Result<Cluster> (*find)(const Question& question);
};

extern const Platform kPlain;      ///< "none": --nnodes says it, or there is one host
extern const Platform kSageMaker;  ///< "sagemaker"

/// The names of all platforms, in order.
std::vector<std::string> platform_names();

/// Error: what was chosen cannot be: a leader that is no host of the job, a rank beyond the number
/// of nodes, a platform that is not there.
Result<Cluster> find_cluster(const Question& question);

}  // namespace trainit::cluster
