// The options as data: each row says what an option is called, and which field it fills.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "cli.h"
#include "environment/rank_environment.h"
#include "logs/prefix.h"
#include "sys/files.h"
#include "sys/signals.h"

namespace trainit {
namespace {

using std::chrono::milliseconds;

template <class Field>
struct Choice {
  const char* name;
  Field value;
};

/// Sets a field to the value whose name is `text`.
template <class Target, class Field, std::size_t N>
Result<void> choose(Target& field, std::string_view text, const Choice<Field> (&choices)[N]) {
  std::vector<std::string> names;
  for (const auto& choice : choices) {
    if (text == choice.name) {
      field = choice.value;
      return {};
    }
    names.emplace_back(choice.name);
  }
  return fail("expected one of " + join(names, ", "));
}

Result<void> set_switch(bool& field, std::string_view text) {
  for (const char* yes : {"true", "1", "yes", "on"}) {
    if (equals_ignoring_case(text, yes)) return field = true, Result<void>();
  }
  for (const char* no : {"false", "0", "no", "off", ""}) {
    if (equals_ignoring_case(text, no)) return field = false, Result<void>();
  }
  return fail("expected true or false");
}

/// "20", "1.5" and "20s" are seconds, "500ms" milliseconds, "2m" minutes, "1h" hours.
template <class Field>
Result<void> set_duration(Field& field, std::string_view text) {
  double factor = 1000;
  if (text.ends_with("ms")) {
    factor = 1;
    text.remove_suffix(2);
  } else if (!text.empty() && (text.back() == 's' || text.back() == 'm' || text.back() == 'h')) {
    factor = text.back() == 's' ? 1e3 : text.back() == 'm' ? 6e4 : 3.6e6;
    text.remove_suffix(1);
  }
  const auto number = parse_number<double>(text);
  constexpr double kLongest = 1e12;
  if (!number || !(*number >= 0) || *number * factor > kLongest) {
    return fail("expected a duration such as 20 (seconds), 500ms or 2m");
  }
  field = milliseconds(std::llround(*number * factor));
  return {};
}

Result<void> set_time(milliseconds& field, std::string_view text) {
  milliseconds time(0);
  if (!set_duration(time, text) || time == milliseconds(0))
    return fail("expected a duration above 0 such as 20 (seconds), 500ms or 2m");
  field = time;
  return {};
}

Result<void> set_workers(WorkerCount& field, std::string_view text) {
  using Kind = WorkerCount::Kind;
  constexpr Choice<Kind> kWords[] = {
      {"auto", Kind::kAuto}, {"gpu", Kind::kGpu}, {"cpu", Kind::kCpu}};
  if (choose(field.kind, text, kWords)) return {};
  const auto number = parse_number<int>(text);
  if (!number || *number < 1 || *number > environment::kMostWorkers) {
    return fail(fmt::format("expected a number of workers from 1 to {}, or one of auto, gpu, cpu",
                            environment::kMostWorkers));
  }
  field = {Kind::kNumber, *number};
  return {};
}

/// "FROM<separator>TO,…", each side read by its own function, into a map.
template <class ReadFrom, class ReadTo>
Result<void> set_pairs(std::map<int, int>& field, std::string_view text, char separator,
                       std::string_view expected, ReadFrom read_from, ReadTo read_to) {
  std::map<int, int> pairs;
  for (const std::string_view pair : split(text, ',')) {
    const std::size_t middle = pair.find(separator);
    if (middle == std::string_view::npos) return fail(std::string(expected));
    const std::optional<int> from = read_from(pair.substr(0, middle));
    const std::optional<int> to = read_to(pair.substr(middle + 1));
    if (!from || !to) return fail(std::string(expected));
    pairs[*from] = *to;
  }
  field = std::move(pairs);
  return {};
}

/// "15:3", "HUP:0", "TERM:USR1,INT:USR1".
Result<void> set_rewrites(std::map<int, int>& field, std::string_view text) {
  return set_pairs(
      field, text, ':',
      "expected FROM:TO with signals such as 15, TERM or RTMIN+1 that can be caught (CHLD can be "
      "neither), and 0 for TO to drop FROM",
      [](std::string_view from) -> std::optional<int> {
        const auto signal = sys::parse_signal(from);
        return signal && sys::can_be_rewritten(*signal) ? signal : std::nullopt;
      },
      [](std::string_view to) -> std::optional<int> {
        const auto signal = to == "0" ? 0 : sys::parse_signal(to);
        return signal != SIGCHLD ? signal : std::nullopt;
      });
}

/// "143=0", "143=0,130=0".
Result<void> set_exit_codes(std::map<int, int>& field, std::string_view text) {
  const auto read_code = [](std::string_view code) -> std::optional<int> {
    const auto number = parse_number<int>(code);
    return number && *number >= 0 && *number <= 255 ? number : std::nullopt;
  };
  return set_pairs(field, text, '=', "expected CODE=CODE with codes from 0 to 255, such as 143=0",
                   read_code, read_code);
}

/// "93", "3,93".
Result<void> set_failing_codes(std::set<int>& field, std::string_view text) {
  std::set<int> codes;
  for (const std::string_view code : split(text, ',')) {
    const auto number = parse_number<int>(code);
    if (!number || *number < 1 || *number > 255)
      return fail("expected codes from 1 to 255, such as 3,93");
    codes.insert(*number);
  }
  field = std::move(codes);
  return {};
}

Result<void> set_port(int& field, std::string_view text) {
  const auto number = parse_number<int>(text);
  if (!number || *number < 0 || *number > 65535)
    return fail("expected a port from 1 to 65535, or 0 for a free one");
  field = *number;
  return {};
}

Result<void> set_control_port(int& field, std::string_view text) {
  const auto number = parse_number<int>(text);
  if (!number || *number < 1 || *number > 65535)
    return fail("expected a port from 1 to 65535, the same on all hosts");
  field = *number;
  return {};
}

Result<void> set_count(int& field, std::string_view text, int least) {
  const auto number = parse_number<int>(text);
  if (!number || *number < least)
    return fail(fmt::format("expected a whole number from {} on", least));
  field = *number;
  return {};
}

Result<void> set_platform(std::string& field, std::string_view text) {
  const std::vector<std::string> names = cluster::platform_names();
  if (text != "auto" && std::find(names.begin(), names.end(), text) == names.end())
    return fail("expected one of auto, " + join(names, ", "));
  field = text == "auto" ? "" : text;
  return {};
}

/// "10.0.0.7", "10.0.0.0/8,fd00::/8".
Result<void> set_address_ranges(std::vector<sys::AddressRange>& field, std::string_view text) {
  std::vector<sys::AddressRange> ranges;
  for (const std::string_view one : split(text, ',')) {
    const auto range = sys::AddressRange::parse(one);
    if (!range) return fail("expected IP addresses or ranges such as 10.0.0.7 or 10.0.0.0/8");
    ranges.push_back(*range);
  }
  field = std::move(ranges);
  return {};
}

/// "4096", "64K", "100M", "1G": bytes, in powers of 1024.
Result<void> set_bytes(std::uint64_t& field, std::string_view text) {
  constexpr std::string_view kUnits = "KMG";
  int shift = 0;
  const std::size_t unit = text.empty() ? std::string_view::npos : kUnits.find(text.back());
  if (unit != std::string_view::npos) {
    shift = 10 * (static_cast<int>(unit) + 1);
    text.remove_suffix(1);
  }
  const auto number = parse_number<std::uint64_t>(text);
  if (!number || *number > UINT64_MAX >> shift)
    return fail("expected a number of bytes such as 4096, 64K, 100M or 1G");
  field = *number << shift;
  return {};
}

Result<void> set_prefix(std::optional<std::string>& field, std::string_view text) {
  TRAINIT_TRY(logs::render_prefix(text, {}));
  field = text;
  return {};
}

/// "block", "drop" or "spill=DIR".
Result<void> set_logs_full(Options& options, std::string_view text) {
  constexpr std::string_view kSpill = "spill=";
  if (text.starts_with(kSpill) && text.size() > kSpill.size()) {
    options.logs_full = LogsFull::kSpill;
    options.spill_directory = sys::absolute_path(std::string(text.substr(kSpill.size())));
    return {};
  }
  constexpr Choice<LogsFull> kWords[] = {{"block", LogsFull::kBlock}, {"drop", LogsFull::kDrop}};
  if (choose(options.logs_full, text, kWords)) return {};
  return fail("expected block, drop or spill=DIR");
}

/// An empty one is a variable of the caller's that is not set, and workers that stay root.
Result<void> set_user(std::string& field, std::string_view text) {
  if (text.empty()) return fail("expected a user, by name or number");
  field = text;
  return {};
}

Result<void> set_text(std::string& field, std::string_view text) {
  field = text;
  return {};
}

/// We leave our working directory later on.
Result<void> set_directory(std::string& field, std::string_view text) {
  field = sys::absolute_path(std::string(text));
  return {};
}

using Text = std::string_view;
constexpr bool kForExecToo = true;

constexpr Choice<RankEnvironment> kRankEnvironments[] = {{"auto", RankEnvironment::kAuto},
                                                         {"always", RankEnvironment::kAlways},
                                                         {"never", RankEnvironment::kNever}};
constexpr Choice<Binding> kBindings[] = {{"none", Binding::kNone}, {"numa", Binding::kNuma}};
constexpr Choice<environment::ArgumentStyle> kArgumentStyles[] = {
    {"toolkit", environment::ArgumentStyle::kToolkit},
    {"json", environment::ArgumentStyle::kJson},
    {"none", environment::ArgumentStyle::kNone}};
constexpr Choice<environment::Contract> kContracts[] = {
    {"toolkit", environment::Contract::kToolkit}, {"v3", environment::Contract::kV3}};
constexpr Choice<LogLevel> kLogLevels[] = {{"debug", LogLevel::kDebug},
                                           {"info", LogLevel::kInfo},
                                           {"warning", LogLevel::kWarning},
                                           {"error", LogLevel::kError},
                                           {"off", LogLevel::kOff}};
constexpr Choice<LogFormat> kLogFormats[] = {{"text", LogFormat::kText},
                                             {"json", LogFormat::kJson}};
constexpr Choice<GpuProbe> kGpuProbes[] = {
    {"auto", GpuProbe::kAuto}, {"always", GpuProbe::kAlways}, {"never", GpuProbe::kNever}};
constexpr Choice<PlatformArgument> kPlatformArguments[] = {{"auto", PlatformArgument::kAuto},
                                                           {"drop", PlatformArgument::kDrop},
                                                           {"keep", PlatformArgument::kKeep}};

constexpr Choice<Preflight> kPreflights[] = {
    {"off", Preflight::kOff}, {"quick", Preflight::kQuick}, {"deep", Preflight::kDeep}};
constexpr Choice<Logs> kLogs[] = {{"relay", Logs::kRelay}, {"inherit", Logs::kInherit}};
constexpr Choice<bool> kShownRanks[] = {{"all", false}, {"0", true}};
constexpr Choice<bool> kProgress[] = {{"pass", false}, {"collapse", true}};

constexpr OptionRow kTable[] = {
    {"workers", "N|gpu|cpu|auto", "Workers", "auto",
     "Workers on this host; auto: one a GPU for a command, one for a script without a distribution "
     "setting",
     [](Options& o, Text text) { return set_workers(o.workers, text); }},
    {"rank-env", "auto|always|never", "Workers", "auto",
     "Whether workers get RANK, MASTER_ADDR …; auto: a command always, a script when there are "
     "several",
     [](Options& o, Text text) { return choose(o.rank_environment, text, kRankEnvironments); }},
    {"isolate-gpus", "", "Workers", "false",
     "Each worker sees only the GPU of its local rank, as device 0",
     [](Options& o, Text text) { return set_switch(o.isolate_gpus, text); }},
    {"bind", "numa|none", "Workers", "none", "numa: bind each worker to the CPUs next to its GPU",
     [](Options& o, Text text) { return choose(o.binding, text, kBindings); }},
    {"user", "NAME|UID[:GROUP|GID]", "Workers", "",
     "Run the workers as this user; the directories of a job become theirs",
     [](Options& o, Text text) { return set_user(o.user, text); }, kForExecToo},
    {"python", "PROGRAM", "Code", "",
     "The interpreter of a script; default: SAGEMAKER_PYTHON, a venv or conda environment, python3",
     [](Options& o, Text text) { return set_text(o.python, text); }},
    {"args", "toolkit|json|none", "Code",
     "toolkit (json with --contract v3) for a script, none for a command",
     "How hyperparameters become arguments",
     [](Options& o, Text text) { return choose(o.arguments, text, kArgumentStyles); }},
    {"contract", "toolkit|v3", "Code", "toolkit",
     "Whose variables win where the Python toolkit and SDK v3 contradict each other",
     [](Options& o, Text text) { return choose(o.contract, text, kContracts); }},
    {"worker-store", "", "Rendezvous", "false",
     "Rank 0 serves the rendezvous store itself, on a port that is kept for it",
     [](Options& o, Text text) { return set_switch(o.worker_store, text); }},
    {"store-allow", "ADDRESS[/BITS][,…]", "Rendezvous", "",
     "Who may use the rendezvous store besides this job's hosts; it listens on every interface "
     "then",
     [](Options& o, Text text) { return set_address_ranges(o.store_allow, text); }},
    {"master-port", "PORT", "Rendezvous", "0", "MASTER_PORT; 0: a free one",
     [](Options& o, Text text) { return set_port(o.master_port, text); }},
    {"nccl-comm-id", "", "Rendezvous", "false",
     "Set NCCL_COMM_ID, with a port that is kept for it, for programs that know NCCL alone",
     [](Options& o, Text text) { return set_switch(o.nccl_comm_id, text); }},
    {"late-after", "DURATION", "Rendezvous", "60 s",
     "From when the log names workers that have not reached init_process_group; 0: never",
     [](Options& o, Text text) { return set_duration(o.late_after, text); }},
    {"platform", "auto|sagemaker|none", "Hosts", "auto", "Who says which hosts take part",
     [](Options& o, Text text) { return set_platform(o.cluster.platform, text); }},
    {"nnodes", "N", "Hosts", "", "So many hosts take part; with --node-rank and --leader",
     [](Options& o, Text text) { return set_count(o.cluster.nodes, text, 1); }},
    {"node-rank", "RANK", "Hosts", "", "This host's place among them, from 0; 0 leads",
     [](Options& o, Text text) { return set_count(o.cluster.node_rank, text, 0); }},
    {"leader", "HOST", "Hosts", "the first of the hosts, by number",
     "The host that leads and has rank 0; with --nnodes its name or address",
     [](Options& o, Text text) { return set_text(o.cluster.leader, text); }},
    {"control-port", "PORT", "Hosts", "29400",
     "Where the leader's trainit listens for those of the other hosts",
     [](Options& o, Text text) { return set_control_port(o.control_port, text); }},
    {"meet-timeout", "DURATION", "Hosts", "15 min", "How long hosts wait until all are there",
     [](Options& o, Text text) { return set_time(o.meet_timeout, text); }},
    {"job-key-file", "PATH", "Hosts", "",
     "A secret of the job, the same on all hosts, that keeps others out; or TRAINIT_JOB_KEY",
     [](Options& o, Text text) { return set_text(o.job_key_file, text); }},
    {"host-outcome", "", "Hosts", "false",
     "Report how this host's workers ended, whatever the others did",
     [](Options& o, Text text) { return set_switch(o.host_outcome, text); }},
    {"alone", "", "Hosts", "false",
     "The hosts of this job do not meet; each runs its part for itself, with a store of rank 0",
     [](Options& o, Text text) { return set_switch(o.alone, text); }},
    {"max-restarts", "N", "Restart", "0",
     "How often the job starts its workers once more after some have failed; on several hosts, all",
     [](Options& o, Text text) { return set_count(o.max_restarts, text, 0); }},
    {"no-restart-exit-codes", "CODE[,…]", "Restart", "",
     "Codes by which a worker says that to start once more is of no use; 128 + n for signal n",
     [](Options& o, Text text) { return set_failing_codes(o.no_restart_exit_codes, text); }},
    {"min-uptime", "DURATION", "Restart", "0",
     "Workers that fail sooner than this after their start are not started once more",
     [](Options& o, Text text) { return set_duration(o.min_uptime, text); }},
    {"restart-delay", "DURATION", "Restart", "1 s",
     "Before the first restart; it doubles with each, up to a minute",
     [](Options& o, Text text) { return set_duration(o.restart_delay, text); }},
    {"gpu-memory-wait", "DURATION", "Restart", "50 s",
     "How long a restart waits at most until the memory of the GPUs is free",
     [](Options& o, Text text) { return set_duration(o.gpu_memory_wait, text); }},
    {"stop-budget", "DURATION", "Stop",
     "120 s on SageMaker; 30 s on Kubernetes, Batch, Slurm; else 10 s",
     "From a stop signal until everything has ended",
     [](Options& o, Text text) { return set_duration(o.stop_budget, text); }, kForExecToo},
    {"failure-grace", "DURATION", "Stop", "20 s",
     "What the other workers get to end after one has failed",
     [](Options& o, Text text) { return set_duration(o.failure_grace, text); }},
    {"linger", "DURATION", "Stop", "5 s",
     "What processes that outlive the workers get before they are killed",
     [](Options& o, Text text) { return set_duration(o.linger, text); }, kForExecToo},
    {"sweep", "", "Stop", "false",
     "trainit exec: end what outlives the command also when trainit is not PID 1",
     [](Options& o, Text text) { return set_switch(o.sweep, text); }, kForExecToo},
    {"rewrite", "FROM:TO[,…]", "Stop", "",
     "Take one signal for another, before anything else is made of it: 15:3; TO 0 drops it: 1:0",
     [](Options& o, Text text) { return set_rewrites(o.rewrites, text); }, kForExecToo},
    {"exit-map", "CODE=CODE[,…]", "Stop", "",
     "Exit with another code: 143=0; markers and the record stay as they are",
     [](Options& o, Text text) { return set_exit_codes(o.exit_codes, text); }, kForExecToo},
    {"log-level", "debug|info|warning|error|off", "Logs", "info; warning for exec",
     "What trainit itself says on stderr",
     [](Options& o, Text text) { return choose(o.log_level, text, kLogLevels); }, kForExecToo},
    {"log-format", "text|json", "Logs", "text", "How it says it",
     [](Options& o, Text text) { return choose(o.log_format, text, kLogFormats); }, kForExecToo},
    {"log-prefix", "FORMAT", "Logs", "[rank {rank}] with several workers",
     "What stands before the lines of every rank but 0, with {rank}, {local_rank}, {host} and "
     "{stream}; empty: nothing",
     [](Options& o, Text text) { return set_prefix(o.log_prefix, text); }},
    {"log-prefix-rank-0", "", "Logs", "false", "Rank 0's lines have the prefix too",
     [](Options& o, Text text) { return set_switch(o.log_prefix_rank_0, text); }},
    {"log-ranks", "all|0", "Logs", "all", "Whose output is shown",
     [](Options& o, Text text) { return choose(o.log_rank_0_only, text, kShownRanks); }},
    {"log-dir", "DIR", "Logs", "", "Keep each worker's output, as it came, in rank-N.stdout.log …",
     [](Options& o, Text text) { return set_directory(o.log_directory, text); }},
    {"log-file-size", "BYTES", "Logs", "64M",
     "From when such a file is rotated; three older ones are kept; 0: never",
     [](Options& o, Text text) { return set_bytes(o.log_file_bytes, text); }},
    {"logs", "relay|inherit", "Logs", "relay",
     "inherit: workers write to trainit's own stdout and stderr, which nobody keeps in lines or "
     "looks into for errors",
     [](Options& o, Text text) { return choose(o.logs, text, kLogs); }},
    {"logs-full", "block|drop|spill=DIR", "Logs", "block",
     "When nobody reads the output fast enough: let the workers wait, or drop whole lines, or keep "
     "them in files",
     [](Options& o, Text text) { return set_logs_full(o, text); }},
    {"progress", "pass|collapse", "Logs", "pass",
     "collapse: show one line a second of a progress bar",
     [](Options& o, Text text) { return choose(o.collapse_progress, text, kProgress); }},
    {"record", "PATH|none", "Logs", "<output>/data/trainit/<host>.jsonl",
     "The run record: every event as a line of JSON",
     [](Options& o, Text text) { return set_text(o.record, text); }},
    {"platform-arg", "auto|drop|keep", "Platform", "auto",
     "Whether a last argument \"train\" of the command is the platform's",
     [](Options& o, Text text) { return choose(o.platform_argument, text, kPlatformArguments); }},
    {"require-gpus", "", "Platform", "false",
     "Fail when fewer GPUs are found than the instance type has",
     [](Options& o, Text text) { return set_switch(o.require_gpus, text); }},
    {"preflight", "[off|quick|deep]", "Platform", "off; quick without a value",
     "Look at the machine before the first worker, and end the job where it could not work; deep: "
     "try what the GPUs can do, too",
     [](Options& o, Text text) {
       return choose(o.preflight, text == OptionRow::kNoValue ? "quick" : text, kPreflights);
     }},
    {"deep-deadline", "DURATION", "Platform", "2 min",
     "How long the part of a check that tries the GPUs may take",
     [](Options& o, Text text) { return set_time(o.deep_deadline, text); }},
    {"gpu-probe", "auto|always|never", "Platform", "auto",
     "Whether the driver is asked for GPUs; auto: where something looks like one",
     [](Options& o, Text text) { return choose(o.gpu_probe, text, kGpuProbes); }},
    {"gpu-deadline", "DURATION", "Platform", "10 s", "How long the GPU driver may take to answer",
     [](Options& o, Text text) { return set_time(o.gpu_deadline, text); }},
    {"gpu-health", "DURATION", "Platform", "10 s",
     "How often the GPUs' health is looked at while workers run; 0: never",
     [](Options& o, Text text) { return set_duration(o.gpu_health, text); }},
};

std::string spelled(std::string_view prefix, std::string_view name, bool upper) {
  std::string result(prefix);
  for (const char c : name) {
    result += c == '-' ? '_' : upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return result;
}

}  // namespace

std::string OptionRow::flag() const { return std::string("--") + name; }
std::string OptionRow::hyperparameter() const { return spelled("trainit_", name, false); }
bool OptionRow::may_stand_alone() const { return *value == '\0' || *value == '['; }
bool OptionRow::takes_list() const { return std::string_view(value).ends_with("[,…]"); }
std::string OptionRow::variable() const { return spelled("TRAINIT_", name, true); }

std::span<const OptionRow> option_table() { return kTable; }

}  // namespace trainit
