// No platform: --nnodes, --node-rank and --leader, the same on every host but for the rank; or one
// host alone.
#include <fmt/core.h>

#include "cluster/platforms.h"

namespace trainit::cluster {
namespace {

constexpr int kMostNodes = 100'000;

Result<void> check(const Choice& choice) {
  if (choice.nodes > kMostNodes)
    return fail(fmt::format("--nnodes {}: at most {}", choice.nodes, kMostNodes));
  if (choice.node_rank < 0)
    return fail(fmt::format("--nnodes {} needs --node-rank, from 0 to {}, another on each host",
                            choice.nodes, choice.nodes - 1));
  if (choice.node_rank >= choice.nodes)
    return fail(fmt::format("--node-rank {} with --nnodes {}: expected 0 to {}", choice.node_rank,
                            choice.nodes, choice.nodes - 1));
  if (choice.leader.empty())
    return fail(
        fmt::format("--nnodes {} needs --leader: the name or the address of the host whose "
                    "--node-rank is 0",
                    choice.nodes));
  return {};
}

/// Whatever a platform may say of others.
Found one_host(const Resources& resources, const Choice& choice) {
  Found found;
  found.by = choice.nodes > 0           ? "--nnodes"
             : !choice.platform.empty() ? "--platform none"
                                        : "one host";
  found.cluster.platform = "none";
  found.cluster.current_host = found.cluster.leader = resources.current_host;
  found.cluster.hosts = {resources.current_host};
  found.cluster.interface = resources.network_interface;
  return found;
}

/// The hosts have no names that we know: they are called by their ranks.
Result<Found> find(const Question& question) {
  const Choice& choice = question.choice;
  if (choice.nodes <= 1) return one_host(question.job.resources, choice);
  TRAINIT_TRY(check(choice));
  Found found;
  found.by = "--nnodes";
  Cluster& cluster = found.cluster;
  cluster.platform = "none";
  for (int rank = 0; rank < choice.nodes; ++rank)
    cluster.hosts.push_back(fmt::format("node-{}", rank));
  cluster.host_rank = choice.node_rank;
  cluster.current_host = cluster.hosts[static_cast<std::size_t>(choice.node_rank)];
  cluster.leader = choice.leader;
  cluster.named = false;
  return found;
}

}  // namespace

const Platform kPlain = {"none", [](const Question&) { return true; }, find};

}  // namespace trainit::cluster
