#include <trainit/cluster.h>

#include <cstdio>

int main() {
  const auto resources = trainit::Resources::single("alone");
  const auto cluster = trainit::Cluster::of(resources, trainit::Hyperparameters());
  std::printf("%s leads\n", cluster.leader.c_str());
}
