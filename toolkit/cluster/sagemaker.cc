// SageMaker: resourceconfig.json names the hosts, and the interface between them. Of a job with
// instance groups only the distribution groups take part.
#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "cluster/platforms.h"

namespace trainit::cluster {
namespace {

/// The leader has rank 0; the others keep their order.
Result<void> choose_leader(const std::string& leader, Cluster& cluster) {
  const auto chosen = std::find(cluster.hosts.begin(), cluster.hosts.end(), leader);
  if (chosen == cluster.hosts.end()) {
    return fail(fmt::format("--leader {}: expected one of the hosts that take part ({})", leader,
                            join(cluster.hosts, ", ")));
  }
  std::rotate(cluster.hosts.begin(), chosen, chosen + 1);
  cluster.leader = leader;
  cluster.source = "resourceconfig.json and --leader";
  if (cluster.host_rank < 0) return {};
  const auto here = std::find(cluster.hosts.begin(), cluster.hosts.end(), cluster.current_host);
  cluster.host_rank = static_cast<int>(here - cluster.hosts.begin());
  return {};
}

Result<Cluster> find(const Question& question) {
  if (question.choice.nodes > 0) {
    return fail(
        fmt::format("--platform sagemaker and --nnodes {}: resourceconfig.json says how many "
                    "hosts there are",
                    question.choice.nodes));
  }
  Cluster cluster = Cluster::of(question.job.resources, question.job.hyperparameters);
  if (!question.choice.leader.empty()) TRAINIT_TRY(choose_leader(question.choice.leader, cluster));
  return cluster;
}

}  // namespace

const Platform kSageMaker = {
    "sagemaker", [](const Question& question) { return question.job.resources.from_platform; },
    find};

}  // namespace trainit::cluster
