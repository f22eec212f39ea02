#include "trainit/cluster.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "cluster/host_order.h"

using namespace trainit;

namespace {

using Names = std::vector<std::string>;

Hyperparameters hyperparameters(Json::Object members) {
  return *Hyperparameters::from_json(Json(std::move(members)));
}

const Hyperparameters kNone;
const Hyperparameters kMpi = hyperparameters({{"sagemaker_mpi_enabled", "true"}});

/// Four hosts in two groups, whose hosts stand in the order that a real platform wrote.
Resources two_groups(std::string current_host, std::string current_group) {
  Resources resources;
  resources.current_host = std::move(current_host);
  resources.hosts = {"algo-1", "algo-10", "algo-2", "algo-3"};
  resources.group_name = std::move(current_group);
  resources.groups = {{"gpu", "ml.p4d.24xlarge", {"algo-3", "algo-10"}},
                      {"cpu", "ml.c5.xlarge", {"algo-2", "algo-1"}}};
  resources.from_platform = true;
  return resources;
}

}  // namespace

TEST_CASE("numbers in host names count as numbers") {
  Names hosts = {"algo-10", "algo-1",  "algo-9", "b-2-1", "algo-2",
                 "b-1-3",   "algo-02", "algo",   "b-1"};
  std::sort(hosts.begin(), hosts.end(), cluster::host_before);
  CHECK(hosts ==
        Names{"algo", "algo-1", "algo-02", "algo-2", "algo-9", "algo-10", "b-1", "b-1-3", "b-2-1"});
  CHECK(cluster::host_before("h99999999999999999999", "h100000000000000000000"));
  CHECK_FALSE(cluster::host_before("h-0", "h-0"));
}

TEST_CASE("all hosts take part, in the order of their numbers") {
  const Cluster cluster = Cluster::of(two_groups("algo-10", "gpu"), kNone);
  CHECK(cluster.platform == "sagemaker");
  CHECK(cluster.hosts == Names{"algo-1", "algo-2", "algo-3", "algo-10"});
  CHECK(cluster.leader == "algo-1");
  CHECK(cluster.host_rank == 3);
  CHECK(cluster.host_count() == 4);
  CHECK(cluster.interface == "eth0");
}

TEST_CASE("a distribution without named groups is the current group's alone") {
  const Cluster cluster = Cluster::of(two_groups("algo-10", "gpu"), kMpi);
  CHECK(cluster.hosts == Names{"algo-3", "algo-10"});
  CHECK(cluster.leader == "algo-3");
  CHECK(cluster.host_rank == 1);
  CHECK(Cluster::of(two_groups("algo-1", "cpu"), kMpi).hosts == Names{"algo-1", "algo-2"});
}

TEST_CASE("a host outside the named groups takes no part") {
  const Hyperparameters named = hyperparameters(
      {{"sagemaker_mpi_enabled", "true"}, {"sagemaker_distribution_instance_groups", "[\"gpu\"]"}});
  const Cluster cluster = Cluster::of(two_groups("algo-1", "cpu"), named);
  CHECK(cluster.host_rank == -1);
  CHECK(cluster.hosts == Names{"algo-3", "algo-10"});
}

TEST_CASE("groups that do not exist leave the cluster whole") {
  const Hyperparameters named =
      hyperparameters({{"sagemaker_distribution_instance_groups", "[\"tpu\"]"}});
  CHECK(Cluster::of(two_groups("algo-1", "cpu"), named).host_count() == 4);
}

TEST_CASE("a host by itself is on no platform") {
  const Cluster cluster = Cluster::of(Resources::single("laptop"), kMpi);
  CHECK(cluster.platform == "none");
  CHECK(cluster.hosts == Names{"laptop"});
  CHECK(cluster.leader == "laptop");
  CHECK(cluster.host_rank == 0);
}

TEST_CASE("the toolkit's groups keep the order of the file, and its leader is the first host") {
  const DistributionGroups groups = DistributionGroups::of(two_groups("algo-10", "gpu"), kMpi);
  CHECK(groups.groups == Names{"gpu"});
  CHECK(groups.hosts == Names{"algo-3", "algo-10"});
  CHECK(groups.master == "algo-3");
}

TEST_CASE("named groups keep the order they are named in, their hosts that of the file") {
  const Hyperparameters named =
      hyperparameters({{"sagemaker_distribution_instance_groups", "[\"cpu\", \"gpu\"]"}});
  const DistributionGroups groups = DistributionGroups::of(two_groups("algo-1", "cpu"), named);
  CHECK(groups.groups == Names{"cpu", "gpu"});
  CHECK(groups.hosts == Names{"algo-3", "algo-10", "algo-2", "algo-1"});
  CHECK(groups.master == "algo-3");
}

TEST_CASE("without a distribution no group is in it, and the first host leads") {
  const DistributionGroups groups = DistributionGroups::of(two_groups("algo-2", "cpu"), kNone);
  CHECK(groups.groups.empty());
  CHECK(groups.hosts.empty());
  CHECK(groups.master == "algo-1");
}

TEST_CASE("a file without groups distributes over all hosts") {
  Resources resources;
  resources.current_host = "algo-2";
  resources.hosts = {"algo-1", "algo-10", "algo-2"};
  const DistributionGroups groups = DistributionGroups::of(resources, kNone);
  CHECK(groups.groups.empty());
  CHECK(groups.hosts == resources.hosts);
  CHECK(DistributionGroups::of(resources, kMpi).groups == Names{"homogeneousCluster"});
}

TEST_CASE("each kind of distribution counts, and one that is switched off does not") {
  for (const char* flag :
       {"sagemaker_mpi_enabled", "sagemaker_parameter_server_enabled",
        "sagemaker_distributed_dataparallel_enabled", "sagemaker_pytorch_ddp_enabled",
        "sagemaker_pytorch_xla_multi_worker_enabled",
        "sagemaker_multi_worker_mirrored_strategy_enabled",
        "sagemaker_torch_distributed_enabled"}) {
    CAPTURE(flag);
    const Resources resources = two_groups("algo-1", "cpu");
    CHECK(DistributionGroups::of(resources, hyperparameters({{flag, "true"}})).groups ==
          Names{"cpu"});
    CHECK(DistributionGroups::of(resources, hyperparameters({{flag, "False"}})).groups.empty());
  }
}
