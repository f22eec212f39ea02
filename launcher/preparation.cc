#include "preparation.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>

#include "base/python_text.h"
#include "base/text.h"
#include "base/utf8.h"
#include "environment/host_facts.h"
#include "hardware/describe.h"
#include "hardware/detect.h"
#include "hardware/visible_devices.h"
#include "store_access.h"
#include "sys/interface.h"

namespace trainit {
namespace {

std::string describe_job(const JobContext& context) {
  const TrainingJob& job = context.job;
  std::string text = TRAINIT_VERSION;
  if (!job.name.empty()) text += " · job " + job.name;
  const auto& hosts = job.resources.hosts;
  const auto place =
      std::find(hosts.begin(), hosts.end(), job.resources.current_host) - hosts.begin();
  text += fmt::format(" · host {}", job.resources.current_host);
  if (hosts.size() > 1) text += fmt::format(" ({} of {})", place + 1, hosts.size());
  if (job.resources.instance_type != "local") text += " · " + job.resources.instance_type;
  if (job.run_number && *job.run_number > 1) text += fmt::format(" · run {}", *job.run_number);
  return text;
}

std::string describe_inputs(const JobContext& context) {
  constexpr std::size_t kShownValueBytes = 200;
  std::vector<std::string> channels, hyperparameters;
  for (const Channel& channel : context.job.channels) channels.push_back(channel.name);
  for (const auto& [name, value] : context.job.hyperparameters.user()) {
    const std::string text = python::str(context.secrets.mask_json(name, value));
    hyperparameters.push_back(name + "=" + utf8::shorten(text, kShownValueBytes));
  }
  return fmt::format("channels: {} · hyperparameters: {}",
                     channels.empty() ? "none" : join(channels, ", "),
                     hyperparameters.empty() ? "none" : join(hyperparameters, " "));
}

/// "3 hosts, by resourceconfig.json: algo-1 leads, this is host 1 of them, from 0"
std::string describe_cluster(const Cluster& cluster) {
  if (cluster.host_count() == 1 && cluster.host_rank == 0)
    return fmt::format("1 host, by {}", cluster.source);
  const std::string text =
      fmt::format("{} host{}, by {}: {} leads", cluster.host_count(),
                  cluster.host_count() == 1 ? "" : "s", cluster.source, cluster.leader);
  if (cluster.host_rank < 0) return text + ", and this host takes no part in what they do together";
  return text + fmt::format(", this is host {} of them, from 0", cluster.host_rank);
}

void warn_of_hardware(const Hardware& hardware, const JobContext& context, const Logger& log) {
  for (const std::string& warning :
       hardware::warnings(hardware, context.job.resources.instance_type))
    log.warning("{}", warning);
  const std::string* chosen = context.inherited.find("CUDA_VISIBLE_DEVICES");
  if (chosen == nullptr) return;
  const int named = hardware::devices_named(*chosen);
  if (hardware.gpus.source != "libcuda" || hardware.gpus.count() >= named) return;
  log.warning(
      "CUDA_VISIBLE_DEVICES={} names {} GPU{}, and CUDA finds {}: its list ends at the first that "
      "is "
      "not there, and is void where one stands twice",
      *chosen, named, named == 1 ? "" : "s", hardware.gpus.count());
}

/// Fewer GPUs than the instance type has is a broken machine, or a driver that is not there.
Result<void> check_gpus(const JobContext& context, const Hardware& hardware) {
  const Gpus& gpus = hardware.gpus;
  if (!context.options.require_gpus) return {};
  const std::string& type = context.job.resources.instance_type;
  const auto expected = expected_gpus(type, gpus);
  if (expected && gpus.count() < *expected) {
    return fail(fmt::format("--require-gpus: {} has {} GPUs, {} found (by {})", type, *expected,
                            gpus.count(), gpus.source));
  }
  if (gpus.count() > 0) return {};
  const std::string* chosen = context.inherited.find("CUDA_VISIBLE_DEVICES");
  return fail(fmt::format(
      "--require-gpus: this host has no GPU that a worker could use ({}by {})",
      chosen == nullptr ? "" : fmt::format("CUDA_VISIBLE_DEVICES={}, ", *chosen), gpus.source));
}

constexpr const char* kOtherMasterPort = "choose another with --master-port, or 0 for a free one";

/// A port that somebody chose, and that cannot be had, is said with what to do about it.
tl::unexpected<Error> no_port(const Error& error, int port, const char* remedy) {
  if (port == 0) return tl::unexpected(error);
  return fail(fmt::format("{}: {}", error.message, remedy));
}

/// A port for ranks to meet at; `wanted` 0: a free one. It is kept where workers will be started:
/// beside a running job the same port is taken, and can be told all the same.
Result<int> meeting_port(int wanted, bool for_workers, Preparation& preparation) {
  if (wanted != 0 && !for_workers) return wanted;
  auto port = sys::ReservedPort::reserve(wanted);
  if (!port) return no_port(port.error(), wanted, kOtherMasterPort);
  const int number = port->number();
  if (for_workers) preparation.ports.push_back(std::move(*port));
  return number;
}

Result<sys::Listener> listen_at(const std::vector<sys::Address>& addresses, int port,
                                const char* remedy) {
  auto listener = sys::Listener::open(addresses, port);
  if (!listener) return no_port(listener.error(), port, remedy);
  return listener;
}

/// Whether the hosts of this job are to meet. In SageMaker Studio's local mode its toolkit does not
/// wait for them either.
bool hosts_meet(const JobContext& context, const Cluster& cluster) {
  if (cluster.host_count() <= 1 || cluster.host_rank < 0 || context.options.alone) return false;
  return !equals_ignoring_case(context.inherited.get_or("SM_STUDIO_LOCAL_MODE", ""), "true");
}

/// Our own store listens from here on: whoever comes early waits in the kernel's queue.
Result<void> open_store(const Options& options, Preparation& preparation) {
  const bool for_hosts = preparation.together && options.store_allow.empty();
  preparation.store = TRAINIT_TRY(listen_at(
      for_hosts ? addresses_for_hosts(preparation.cluster.interface) : store_addresses(options),
      options.master_port, kOtherMasterPort));
  return {};
}

/// Where workers meet, as this host knows or guesses it.
Result<void> make_endpoints(const JobContext& context, bool for_workers, Preparation& preparation,
                            environment::Agreement& agreement) {
  const Options& options = context.options;
  // What the leader keeps, the others are told when all have met.
  const bool keeps = for_workers && (!preparation.together || preparation.cluster.host_rank == 0);
  const bool serves = agreement.launcher_serves_store;
  if (serves && keeps) {
    TRAINIT_TRY(open_store(options, preparation));
    agreement.store.port = preparation.store->port();
  } else if (!serves || !for_workers) {
    // Hosts that do not meet have nobody to tell them a free one.
    const bool guesses = agreement.host_count > 1 && !preparation.together;
    const int wanted =
        options.master_port == 0 && guesses ? environment::kMasterPort : options.master_port;
    agreement.store.port = TRAINIT_TRY(meeting_port(wanted, keeps, preparation));
  }
  agreement.jax.port = TRAINIT_TRY(meeting_port(0, keeps, preparation));
  // A port is kept only where its number will be told.
  if (options.nccl_comm_id && !context.inherited.has("NCCL_COMM_ID")) {
    agreement.nccl.address = agreement.store.address;
    agreement.nccl.port = TRAINIT_TRY(meeting_port(0, keeps, preparation));
  }
  return {};
}

/// The address at which the other hosts find the leader: that of the interface between them.
std::string own_address(const Cluster& cluster) {
  const auto addresses = sys::addresses_of_interface(cluster.interface);
  return addresses.empty() ? cluster.leader : addresses.front().text();
}

/// On the leader of hosts that are to meet.
Result<void> open_control(const JobContext& context, Preparation& preparation) {
  if (!preparation.together || preparation.cluster.host_rank != 0) return {};
  preparation.control = TRAINIT_TRY(
      listen_at(addresses_for_hosts(preparation.cluster.interface), context.options.control_port,
                "choose another with --control-port, the same on all hosts"));
  return {};
}

/// What is known of the ranks before the hosts have met.
Result<void> make_agreement(const JobContext& context, bool for_workers, Preparation& preparation) {
  const Cluster& cluster = preparation.cluster;
  preparation.together = hosts_meet(context, cluster);
  const bool with_others = preparation.ranks && cluster.host_rank >= 0 && cluster.host_count() > 1;
  const std::string address = !with_others ? "127.0.0.1"
                              : preparation.together && cluster.host_rank == 0 && for_workers
                                  ? own_address(cluster)
                                  : cluster.leader;
  environment::Agreement agreement = environment::Agreement::alike(
      with_others ? cluster.host_rank : 0, with_others ? cluster.host_count() : 1,
      preparation.workers, {address, 0}, {address, 0},
      context.job.name.empty() ? "none" : context.job.name);
  agreement.max_restarts = context.options.max_restarts;
  agreement.launcher_serves_store =
      preparation.ranks && !context.options.worker_store && (!with_others || preparation.together);
  if (preparation.ranks) TRAINIT_TRY(make_endpoints(context, for_workers, preparation, agreement));
  preparation.agreement = std::move(agreement);
  return for_workers ? open_control(context, preparation) : Result<void>();
}

}  // namespace

Logger::Mask mask_of(environment::Secrets secrets) {
  return [secrets = std::move(secrets)](std::string_view text) { return secrets.mask(text); };
}

Result<JobContext> read_context(const CommandLine& line, const Environment& inherited,
                                Logger& log) {
  JobContext context;
  context.inherited = inherited;
  context.job = TRAINIT_TRY(TrainingJob::load(inherited));
  context.secrets =
      environment::Secrets::collect(inherited, context.job.hyperparameters, line.worker_command);
  log.set_mask(mask_of(context.secrets));
  context.options = TRAINIT_TRY(make_options(line, context.job.hyperparameters, inherited));
  for (std::string& sentence : misspelt_variables(inherited))
    context.job.warnings.push_back(std::move(sentence));
  return context;
}

void configure(Logger& log, const JobContext& context) {
  log.set_level(context.options.log_level);
  log.set_format(context.options.log_format);
  log.set_dim(::isatty(STDERR_FILENO) == 1 && !context.inherited.has("NO_COLOR"));
}

Hardware look_at_hardware(const Environment& inherited, const Options& options,
                          const sys::ControlGroups& groups) {
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24);
  HardwareOptions how;
  how.gpu_probe = options.gpu_probe;
  how.gpu_deadline_ms = static_cast<int>(std::min(options.gpu_deadline, kLongest).count());
  how.stop_signals = signal_rules(options).stops();
  return hardware::detect(inherited, how, groups);
}

Result<Command> job_command(const CommandLine& line, const JobContext& context, const Logger& log,
                            bool for_workers) {
  std::vector<std::string> typed = line.worker_command;
  if (drop_platform_argument(typed, context.job, context.options.platform_argument)) {
    log.info(
        "the last argument \"train\" is the platform's and is dropped (--platform-arg keep keeps "
        "it)");
  }
  const bool script_named = !context.inherited.get_or("SAGEMAKER_PROGRAM", "").empty() ||
                            context.job.hyperparameters.platform("sagemaker_program") != nullptr;
  if (typed.empty() && !script_named && !for_workers) {
    Command none;
    none.script_mode = true;
    none.arguments = TRAINIT_TRY(environment::script_arguments(
        context.job.hyperparameters, argument_style(context.options, true),
        context.options.contract));
    return none;
  }
  return find_command(typed, context.job, context.options, context.inherited);
}

Result<Preparation> prepare(const CommandLine& line, const JobContext& context, const Logger& log,
                            bool for_workers) {
  const TrainingJob& job = context.job;
  log.info("{}", describe_job(context));
  for (const std::string& warning : job.warnings) log.warning("{}", warning);
  Preparation preparation;
  preparation.groups = sys::ControlGroups::of_process();
  preparation.hardware = look_at_hardware(context.inherited, context.options, preparation.groups);
  log.info("{}", hardware::describe(preparation.hardware));
  // A preflight says the same, and more.
  if (!for_workers || context.options.preflight == Preflight::kOff)
    warn_of_hardware(preparation.hardware, context, log);
  for (const std::string& warning : preparation.hardware.warnings) log.warning("{}", warning);
  TRAINIT_TRY(check_gpus(context, preparation.hardware));
  log.info("{}", describe_inputs(context));
  preparation.command = TRAINIT_TRY(job_command(line, context, log, for_workers));
  for (const std::string& warning : preparation.command.warnings) log.warning("{}", warning);
  preparation.cluster =
      TRAINIT_TRY(cluster::find_cluster({.job = job, .choice = context.options.cluster}));
  if (preparation.cluster.host_count() > 1 || job.resources.hosts.size() > 1)
    log.info("{}", describe_cluster(preparation.cluster));
  preparation.workers =
      TRAINIT_TRY(worker_count(context.options, preparation.hardware, preparation.command));
  preparation.ranks = wants_ranks(context.options, preparation.command, preparation.workers);
  TRAINIT_TRY(make_agreement(context, for_workers, preparation));
  preparation.host = TRAINIT_TRY(environment::host_environment(
      job, preparation.hardware, preparation.cluster, preparation.command.program,
      context.inherited, context.options.contract));
  for (const std::string& name : preparation.host.left_out) {
    log.warning(
        "{} is left out: it is longer than the 128 KiB that the kernel accepts for one variable",
        name);
  }
  return preparation;
}

Result<Preparation> prepare_to_meet(const JobContext& context) {
  Preparation preparation;
  preparation.cluster =
      TRAINIT_TRY(cluster::find_cluster({.job = context.job, .choice = context.options.cluster}));
  preparation.together = hosts_meet(context, preparation.cluster);
  TRAINIT_TRY(open_control(context, preparation));
  return preparation;
}

std::optional<Error> stopped_early(const Options& options) {
  const auto signal = pending_stop(options);
  if (!signal) return std::nullopt;
  return Error{
      fmt::format("stopped by {} before any worker was started", sys::signal_name(*signal)),
      128 + *signal};
}

PlanInput plan_input(const JobContext& context, const Preparation& preparation) {
  return PlanInput{.job = context.job,
                   .hardware = preparation.hardware,
                   .cluster = preparation.cluster,
                   .command = preparation.command,
                   .options = context.options,
                   .inherited = context.inherited,
                   .host = preparation.host,
                   .agreement = preparation.agreement,
                   .workers = preparation.workers,
                   .terminal = false,
                   .error_directory = {},
                   .user = {}};
}

}  // namespace trainit
