#include "trainit/cluster.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "cluster/host_order.h"
#include "cluster/platforms.h"

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

namespace {

/// What is found for the second of three hosts of SageMaker's.
Result<Cluster> found_for(const cluster::Choice& choice) {
  TrainingJob job;
  job.resources.current_host = "algo-2";
  job.resources.hosts = {"algo-1", "algo-2", "algo-10"};
  job.resources.from_platform = true;
  return cluster::find_cluster({job, choice});
}

std::string error_of(const cluster::Choice& choice) {
  const auto found = found_for(choice);
  return found ? "" : found.error().message;
}

}  // namespace

TEST_CASE("the platform that is there says who is who, and it is told which that is") {
  const auto found = found_for({});
  REQUIRE(found);
  CHECK(found->source == "resourceconfig.json");
  CHECK(found->platform == "sagemaker");
  CHECK(found->hosts == Names{"algo-1", "algo-2", "algo-10"});
  CHECK(found->host_rank == 1);
  CHECK(found->named);
}

TEST_CASE("a leader that is chosen has rank 0, and the others keep their order") {
  const auto found = found_for({.leader = "algo-10"});
  REQUIRE(found);
  CHECK(found->hosts == Names{"algo-10", "algo-1", "algo-2"});
  CHECK(found->leader == "algo-10");
  CHECK(found->source == "resourceconfig.json and --leader");
  CHECK(found->host_rank == 2);
  CHECK(error_of({.leader = "algo-7"}).starts_with("--leader algo-7: expected one of the hosts"));
}

TEST_CASE("no platform is one host, or as many as are said") {
  const auto alone = found_for({.platform = "none"});
  REQUIRE(alone);
  CHECK(alone->hosts == Names{"algo-2"});
  CHECK(alone->host_rank == 0);
  CHECK(alone->source == "--platform none");
  CHECK(found_for({.nodes = 1})->source == "--nnodes");
  const auto found = found_for({.nodes = 4, .node_rank = 2, .leader = "10.0.0.1"});
  REQUIRE(found);
  CHECK(found->source == "--nnodes");
  CHECK(found->hosts == Names{"node-0", "node-1", "node-2", "node-3"});
  CHECK(found->leader == "10.0.0.1");
  CHECK(found->host_rank == 2);
  CHECK_FALSE(found->named);
}

TEST_CASE("choices that contradict each other are refused") {
  CHECK(error_of({.platform = "sagemaker", .nodes = 3}).starts_with("--platform sagemaker and "));
  CHECK(error_of({.platform = "moon"}) == "--platform moon: expected one of sagemaker, none");
  CHECK(error_of({.nodes = 3, .leader = "x"}).starts_with("--nnodes 3 needs --node-rank"));
  CHECK(error_of({.nodes = 3, .node_rank = 3, .leader = "x"}).starts_with("--node-rank 3 with"));
  CHECK(error_of({.nodes = 3, .node_rank = 1}).starts_with("--nnodes 3 needs --leader"));
}

TEST_CASE("one host is none of several") {
  const char* const kNoPlatform = "none";
  CHECK(error_of({.node_rank = 1, .leader = "algo-1"}) == "--node-rank 1 needs --nnodes");
  CHECK(error_of({.platform = kNoPlatform, .node_rank = 0}) ==
        "--node-rank 0 needs --nnodes and --leader");
  CHECK(error_of({.platform = kNoPlatform, .leader = "algo-1"})
            .starts_with("--leader algo-1 needs --nn"));
  CHECK(error_of({.nodes = 1, .node_rank = 5}) == "--node-rank 5 with --nnodes 1: expected 0");
  CHECK(error_of({.nodes = 1, .node_rank = 0, .leader = "algo-1"}).empty());
}

TEST_CASE("a leader is a name or an address, and nothing else") {
  const auto leader = [](const char* text) -> std::string {
    const auto found = found_for({.nodes = 2, .node_rank = 1, .leader = text});
    return found ? found->leader : found.error().message;
  };
  for (const char* good : {"algo-1", "my_host.example.com", "10.77.0.11", "fd77::11"})
    CHECK(leader(good) == good);
  CHECK(leader("[fd77::11]") == "fd77::11");
  for (const char* bad : {"fe80::11", "[febf::11]"})
    CHECK(leader(bad).starts_with(std::string("--leader ") + bad + ": an address that means"));
  CHECK(leader("fec0::11") == "fec0::11");
  for (const char* bad : {"10.77.0.11:29400", "[fd77::11]:29400", "http://algo-1", "fd77::11%eth0",
                          "algo-1:29400", "[algo-1", "algo 1"}) {
    CHECK(
        leader(bad).starts_with(std::string("--leader ") + bad + ": expected the name or the add"));
  }
}
