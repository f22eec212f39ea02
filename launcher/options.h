#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "cluster/platforms.h"
#include "environment/host_environment.h"
#include "sys/address.h"
#include "trainit/hardware.h"

namespace trainit {

/// How many workers this host starts.
struct WorkerCount {
  enum class Kind { kAuto, kGpu, kCpu, kNumber } kind = Kind::kAuto;
  int number = 0;
};
enum class RankEnvironment { kAuto, kAlways, kNever };
enum class Binding { kNone, kNuma };
/// What becomes of the workers' output while a reader of ours does not keep up.
enum class LogsFull { kBlock, kDrop, kSpill };
/// Who writes the workers' output to our stdout and stderr: our relay, or the workers themselves.
enum class Logs { kRelay, kInherit };
enum class PlatformArgument { kAuto, kDrop, kKeep };
/// What is looked at before the first worker.
enum class Preflight { kOff, kQuick, kDeep };

/// Everything that a person can choose. Each field is filled by one row of the table in
/// option_table.cc.
struct Options {
  // workers
  WorkerCount workers;
  RankEnvironment rank_environment = RankEnvironment::kAuto;
  bool isolate_gpus = false;
  Binding binding = Binding::kNone;
  std::string user;  ///< NAME|UID[:GROUP|GID]; empty: stay who we are
  // code
  std::string python;
  std::optional<environment::ArgumentStyle> arguments;  ///< unset: by contract and kind of command
  environment::Contract contract = environment::Contract::kToolkit;
  // rendezvous
  bool worker_store = false;
  std::vector<sys::AddressRange> store_allow;  ///< whom our store serves besides the job's hosts
  int master_port = 0;                         ///< 0: a free one
  bool nccl_comm_id = false;
  std::chrono::milliseconds late_after{60'000};  ///< from when workers that have not come are told
  // hosts
  cluster::Choice cluster;
  bool alone = false;        ///< the hosts do not meet
  int control_port = 29400;  ///< the leader's, for the other hosts' launchers
  std::chrono::milliseconds meet_timeout{15 * 60'000};
  std::string job_key_file;
  bool host_outcome = false;  ///< report this host's own end instead of the job's
  // restart
  int max_restarts = 0;
  std::set<int> no_restart_exit_codes;
  std::chrono::milliseconds min_uptime{0};
  std::chrono::milliseconds restart_delay{1'000};
  std::chrono::milliseconds gpu_memory_wait{50'000};
  // stop
  std::optional<std::chrono::milliseconds> stop_budget;  ///< unset: by platform
  std::chrono::milliseconds failure_grace{20'000};
  std::chrono::milliseconds linger{5'000};
  bool sweep = false;             ///< for `exec`: end what outlives the command also elsewhere than
                                  ///< as PID 1
  std::map<int, int> rewrites;    ///< a signal that we get → what it is taken for; 0: dropped
  std::map<int, int> exit_codes;  ///< our exit code → what we exit with instead
  // logs
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  Logs logs = Logs::kRelay;
  LogsFull logs_full = LogsFull::kBlock;
  bool log_prefix_rank_0 = false;
  bool log_rank_0_only = false;
  bool collapse_progress = false;
  std::optional<std::string> log_prefix;  ///< unset: "[rank {rank}] " with several workers
  std::string log_directory;              ///< empty: no files
  std::string spill_directory;            ///< for kSpill
  std::uint64_t log_file_bytes = std::uint64_t{64} << 20;
  std::string record;  ///< path, "none", or empty for the default place
  // platform
  PlatformArgument platform_argument = PlatformArgument::kAuto;
  bool require_gpus = false;
  GpuProbe gpu_probe = GpuProbe::kAuto;
  Preflight preflight = Preflight::kOff;
  std::chrono::milliseconds deep_deadline{120'000};  ///< of its part that uses the GPUs
  std::chrono::milliseconds gpu_deadline{10'000};
  std::chrono::milliseconds gpu_health{10'000};  ///< how often it is looked at; 0: never
};

}  // namespace trainit
