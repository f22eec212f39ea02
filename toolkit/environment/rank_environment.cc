#include "environment/rank_environment.h"

#include <fmt/core.h>

namespace trainit::environment {
namespace {

constexpr const char* kOrigin = "trainit, for this worker";

class RankVariables {
 public:
  void set(const char* name, std::string value) { result.set(name, std::move(value), kOrigin); }
  void set(const char* name, int value) { set(name, std::to_string(value)); }

  Environment result;
};

}  // namespace

std::string host_and_port(const Endpoint& endpoint) {
  const bool ipv6 = endpoint.address.find(':') != std::string::npos;
  if (ipv6) return fmt::format("[{}]:{}", endpoint.address, endpoint.port);
  return fmt::format("{}:{}", endpoint.address, endpoint.port);
}

Agreement Agreement::single(int slots, Endpoint store, Endpoint jax, std::string run_id) {
  return alike(0, 1, slots, std::move(store), std::move(jax), std::move(run_id));
}

Agreement Agreement::alike(int host_rank, int host_count, int slots, Endpoint store, Endpoint jax,
                           std::string run_id) {
  Agreement agreement;
  agreement.host_rank = host_rank;
  agreement.host_count = host_count;
  agreement.first_rank = host_rank * slots;
  agreement.world_size = host_count * slots;
  agreement.store = std::move(store);
  agreement.jax = std::move(jax);
  agreement.run_id = std::move(run_id);
  return agreement;
}

Environment rank_environment(const Agreement& agreement, int local_rank, int local_world_size) {
  const int rank = agreement.first_rank + local_rank;
  RankVariables variables;
  variables.set("RANK", rank);
  variables.set("WORLD_SIZE", agreement.world_size);
  variables.set("LOCAL_RANK", local_rank);
  variables.set("LOCAL_WORLD_SIZE", local_world_size);
  variables.set("GROUP_RANK", agreement.host_rank);
  variables.set("GROUP_WORLD_SIZE", agreement.host_count);
  variables.set("NODE_RANK", agreement.host_rank);
  variables.set("ROLE_RANK", rank);
  variables.set("ROLE_WORLD_SIZE", agreement.world_size);
  variables.set("ROLE_NAME", "default");
  variables.set("MASTER_ADDR", agreement.store.address);
  variables.set("MASTER_PORT", agreement.store.port);
  variables.set("TORCHELASTIC_RESTART_COUNT", agreement.round);
  variables.set("TORCHELASTIC_MAX_RESTARTS", agreement.max_restarts);
  variables.set("TORCHELASTIC_RUN_ID", agreement.run_id);
  // Workers compare it with exactly "True".
  variables.set("TORCHELASTIC_USE_AGENT_STORE", agreement.launcher_serves_store ? "True" : "False");
  if (agreement.jax.port != 0) {
    variables.set("JAX_COORDINATOR_ADDRESS", host_and_port(agreement.jax));
    variables.set("JAX_NUM_PROCESSES", agreement.world_size);
    variables.set("JAX_PROCESS_ID", rank);
  }
  return std::move(variables.result);
}

void erase_rank_variables(Environment& environment) {
  const Agreement any = Agreement::single(1, {"", 1}, {"", 1}, "");
  const Environment ours = rank_environment(any, 0, 1);
  for (const auto& [name, variable] : ours.variables()) environment.erase(name);
  for (const char* name :
       {"TORCHELASTIC_ERROR_FILE", "TORCHELASTIC_SIGNALS_TO_HANDLE", "TORCHELASTIC_TIMER_FILE",
        "TORCHELASTIC_HEALTH_CHECK_PORT", "TORCH_WORKER_SERVER_SOCKET"}) {
    environment.erase(name);
  }
}

}  // namespace trainit::environment
