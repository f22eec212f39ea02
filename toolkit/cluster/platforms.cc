#include "cluster/platforms.h"

#include <fmt/core.h>

#include "base/text.h"

namespace trainit::cluster {
namespace {

/// Whoever says how many nodes there are means it; then the innermost platform.
const Platform* const kPlatforms[] = {&kSageMaker, &kPlain};

}  // namespace

std::vector<std::string> platform_names() {
  std::vector<std::string> names;
  for (const Platform* platform : kPlatforms) names.emplace_back(platform->name);
  return names;
}

Result<Cluster> find_cluster(const Question& question) {
  const Choice& choice = question.choice;
  if (choice.nodes == 0 && choice.node_rank >= 0)
    return fail(fmt::format("--node-rank {} needs --nnodes{}", choice.node_rank,
                            choice.leader.empty() ? " and --leader" : ""));
  if (choice.platform.empty() && choice.nodes > 0) return kPlain.find(question);
  for (const Platform* platform : kPlatforms) {
    if (choice.platform.empty() ? platform->is_here(question) : choice.platform == platform->name)
      return platform->find(question);
  }
  return fail(fmt::format("--platform {}: expected one of {}", choice.platform,
                          join(platform_names(), ", ")));
}

}  // namespace trainit::cluster
