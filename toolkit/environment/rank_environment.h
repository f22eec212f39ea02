#pragma once

#include <string>

#include "trainit/environment.h"

namespace trainit::environment {

/// Of one host: so the workers of all hosts can be counted with an int.
inline constexpr int kMostWorkers = 4096;

struct Endpoint {
  std::string address;
  int port = 0;
};

/// "host:port"; an IPv6 address stands in brackets, or its last group would be the port.
std::string host_and_port(const Endpoint& endpoint);

/// What all hosts of the job agreed on for this round, seen from one host. With one host it is a
/// constant.
struct Agreement {
  int round = 0;  ///< restart round, from 0
  int host_rank = 0;
  int host_count = 1;
  int first_rank = 0;           ///< global rank of this host's first worker
  int world_size = 1;           ///< workers of the whole job
  Endpoint store;               ///< where workers meet: MASTER_ADDR and MASTER_PORT
  Endpoint jax;                 ///< coordinator of JAX, on a port of its own
  Endpoint nccl;                ///< where NCCL's own bootstrap listens; no port: not wanted
  std::string run_id = "none";  ///< TORCHELASTIC_RUN_ID
  int max_restarts = 0;         ///< TORCHELASTIC_MAX_RESTARTS
  bool launcher_serves_store = false;

  /// One host with `slots` workers.
  static Agreement single(int slots, Endpoint store, Endpoint jax, std::string run_id);
  /// `host_count` hosts with `slots` workers each, seen from one of them: what a host expects
  /// before it has met the others.
  static Agreement alike(int host_rank, int host_count, int slots, Endpoint store, Endpoint jax,
                         std::string run_id);
};

/// The variables of one worker: RANK, LOCAL_RANK, MASTER_ADDR, TORCHELASTIC_*, JAX_* (these when
/// `jax` has a port) … They overwrite inherited ones, because those are an outer launcher's.
Environment rank_environment(const Agreement& agreement, int local_rank, int local_world_size);

/// Takes out what an outer launcher told its workers: every name that `rank_environment` sets, and
/// torchrun's own files and sockets, which a worker of ours would write to. Variables that a
/// launcher reads (PET_*, SLURM_*, OMPI_*) stay.
void erase_rank_variables(Environment& environment);

}  // namespace trainit::environment
