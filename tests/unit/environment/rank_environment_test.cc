#include "environment/rank_environment.h"

#include <doctest/doctest.h>

using namespace trainit;
using namespace trainit::environment;

namespace {

std::vector<std::string> of_third_worker_of_second_host() {
  Agreement agreement;
  agreement.round = 1;
  agreement.host_rank = 1;
  agreement.host_count = 2;
  agreement.first_rank = 4;
  agreement.world_size = 8;
  agreement.store = {"algo-1", 29500};
  agreement.jax = {"algo-1", 29501};
  agreement.run_id = "digits";
  agreement.max_restarts = 3;
  return rank_environment(agreement, 2, 4).to_strings();
}

}  // namespace

TEST_CASE("a worker gets exactly the variables that torchrun and JAX give") {
  CHECK(of_third_worker_of_second_host() == std::vector<std::string>{
                                                "GROUP_RANK=1",
                                                "GROUP_WORLD_SIZE=2",
                                                "JAX_COORDINATOR_ADDRESS=algo-1:29501",
                                                "JAX_NUM_PROCESSES=8",
                                                "JAX_PROCESS_ID=6",
                                                "LOCAL_RANK=2",
                                                "LOCAL_WORLD_SIZE=4",
                                                "MASTER_ADDR=algo-1",
                                                "MASTER_PORT=29500",
                                                "NODE_RANK=1",
                                                "RANK=6",
                                                "ROLE_NAME=default",
                                                "ROLE_RANK=6",
                                                "ROLE_WORLD_SIZE=8",
                                                "TORCHELASTIC_MAX_RESTARTS=3",
                                                "TORCHELASTIC_RESTART_COUNT=1",
                                                "TORCHELASTIC_RUN_ID=digits",
                                                "TORCHELASTIC_USE_AGENT_STORE=False",
                                                "WORLD_SIZE=8",
                                            });
}

TEST_CASE("the store's place is told to workers in exactly the words that they compare with") {
  Agreement agreement = Agreement::single(1, {"127.0.0.1", 1}, {}, "none");
  CHECK(*rank_environment(agreement, 0, 1).find("TORCHELASTIC_USE_AGENT_STORE") == "False");
  agreement.launcher_serves_store = true;
  CHECK(*rank_environment(agreement, 0, 1).find("TORCHELASTIC_USE_AGENT_STORE") == "True");
}

TEST_CASE("of hosts that are alike each has as many ranks, in the order of the hosts") {
  const Agreement agreement = Agreement::alike(2, 3, 4, {"algo-1", 1}, {"algo-1", 2}, "job");
  const Environment environment = rank_environment(agreement, 1, 4);
  CHECK(*environment.find("RANK") == "9");
  CHECK(*environment.find("WORLD_SIZE") == "12");
  CHECK(*environment.find("NODE_RANK") == "2");
  CHECK(*environment.find("GROUP_WORLD_SIZE") == "3");
  CHECK(*environment.find("MASTER_ADDR") == "algo-1");
}

TEST_CASE("one host is an agreement with itself") {
  const Agreement agreement = Agreement::single(2, {"127.0.0.1", 1}, {"127.0.0.1", 2}, "job");
  const Environment environment = rank_environment(agreement, 1, 2);
  CHECK(*environment.find("RANK") == "1");
  CHECK(*environment.find("WORLD_SIZE") == "2");
  CHECK(*environment.find("GROUP_WORLD_SIZE") == "1");
}

TEST_CASE("an IPv6 address is bare for torch and in brackets for JAX") {
  const Agreement agreement = Agreement::single(1, {"fd00::1", 1}, {"fd00::1", 2}, "job");
  const Environment environment = rank_environment(agreement, 0, 1);
  CHECK(*environment.find("MASTER_ADDR") == "fd00::1");
  CHECK(*environment.find("JAX_COORDINATOR_ADDRESS") == "[fd00::1]:2");
}

TEST_CASE("JAX is told nothing when there is no port for it") {
  const Agreement agreement = Agreement::single(1, {"127.0.0.1", 1}, {}, "job");
  CHECK_FALSE(rank_environment(agreement, 0, 1).has("JAX_COORDINATOR_ADDRESS"));
}

TEST_CASE("everything that an outer launcher told its workers can be taken out, and nothing else") {
  Environment environment =
      rank_environment(Agreement::single(1, {"127.0.0.1", 1}, {"127.0.0.1", 2}, "outer"), 0, 1);
  for (const char* name : {"TORCHELASTIC_ERROR_FILE", "TORCHELASTIC_TIMER_FILE",
                           "TORCH_WORKER_SERVER_SOCKET", "PET_NNODES", "SLURM_PROCID", "PATH"}) {
    environment.set(name, "x", "inherited");
  }
  erase_rank_variables(environment);
  CHECK(environment.to_strings() ==
        std::vector<std::string>{"PATH=x", "PET_NNODES=x", "SLURM_PROCID=x"});
}
