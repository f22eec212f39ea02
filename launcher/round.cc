#include "round.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "output.h"
#include "store_access.h"
#include "sys/posix.h"

namespace trainit {
namespace {

/// A terminal that a person sits at. The SDK's local mode gives every container one of 0 by 0, and
/// takes what is written to it for a log.
bool has_terminal() {
  winsize size = {};
  return posix::isatty(STDIN_FILENO) == 1 && posix::isatty(STDOUT_FILENO) == 1 &&
         posix::isatty(STDERR_FILENO) == 1 && posix::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
         size.ws_row > 0 && size.ws_col > 0;
}

/// The store that the workers meet at, when we are to serve it.
std::unique_ptr<supervise::StoreProcess> store_of(const Options& options,
                                                  const Preparation& preparation,
                                                  const coordination::Peers* peers) {
  if (!preparation.store) return nullptr;
  const auto hosts = peers == nullptr ? std::vector<sys::Address>() : peers->addresses();
  return std::make_unique<supervise::StoreProcess>(supervise::StoreProcess::Setup{
      *preparation.store, preparation.agreement.world_size, served_by_store(options, hosts)});
}

/// Who watches the GPUs' health while the workers run. Only the driver itself can tell of it, so
/// where it could not even say which GPUs there are nobody is asked.
std::unique_ptr<supervise::GpuWatch> gpu_watch_of(const JobContext& context,
                                                  const Preparation& preparation,
                                                  report::RunRecord& record, const Logger& log) {
  const Gpus& gpus = preparation.hardware.gpus;
  const auto interval = context.options.gpu_health;
  if (interval.count() == 0 || gpus.count() == 0 || gpus.source != "libcuda") return nullptr;
  supervise::GpuHealth::Sinks sinks{
      .record = [&record](std::string_view event,
                          const Json::Object& fields) { record.write(event, fields); },
      .warn = [&log](const std::string& sentence) { log.warning("{}", sentence); }};
  return std::make_unique<supervise::GpuWatch>(
      supervise::GpuWatch::Setup{context.inherited, interval, gpus.devices, std::move(sinks)});
}

}  // namespace

Result<std::unique_ptr<Round>> Round::make(const JobContext& context,
                                           const Preparation& preparation,
                                           const std::optional<sys::Credentials>& user,
                                           const Logger& log) {
  std::unique_ptr<Round> round(new Round(context, preparation, user, log));
  const std::string& errors = round->errors_.path();
  if (errors.empty()) {
    log.warning(
        "no directory for error files{} can be made in TMPDIR, /tmp or /dev/shm: "
        "TORCHELASTIC_ERROR_FILE is not set",
        user ? fmt::format(" that uid {} can enter", user->uid) : "");
  }
  PlanInput input = plan_input(context, preparation);
  input.user = user;
  // Who has the terminal itself is not relayed; asked for files or prefixes, the relay comes first.
  input.terminal = has_terminal() && asked_of_relay(context.options) == nullptr;
  input.error_directory = errors;
  round->plan_ = TRAINIT_TRY(make_plan(input));
  return round;
}

void Round::make_supervisor(const Parts& parts) {
  const environment::Agreement& agreement = preparation_.agreement;
  store_ = store_of(context_.options, preparation_, parts.peers);
  gpu_watch_ = gpu_watch_of(context_, preparation_, parts.record, log_);
  supervisor_ = std::make_unique<supervise::Supervisor>(
      plan_, supervise::Supervisor::Parts{.loop = parts.loop,
                                          .inheritance = parts.inheritance,
                                          .relay = parts.relay,
                                          .record = parts.record,
                                          .log = log_,
                                          .groups = &preparation_.groups,
                                          .store = store_.get(),
                                          .gpu_watch = gpu_watch_.get(),
                                          .peers = parts.told_peers,
                                          .last_round = agreement.round >= agreement.max_restarts});
}

Result<void> Round::run(const Parts& parts) {
  make_supervisor(parts);
  if (parts.peers != nullptr) {
    parts.peers->on_stop([this, &parts](const coordination::message::Stop& why) {
      parts.on_stop(why, *supervisor_);
    });
    supervise::Attendance& attendance = supervisor_->attendance();
    parts.peers->on_arrivals(
        {.look_for = [&attendance](pid_t process) { attendance.look_for(process); },
         .late = [&attendance](sys::Duration after) { attendance.late(after); },
         .came = [&attendance](int rank) { attendance.came(rank); }});
  }
  Result<supervise::JobEnd> end = supervisor_->run();
  if (parts.peers != nullptr) parts.peers->on_stop({});
  if (parts.peers != nullptr && !end) parts.peers->on_arrivals({});
  if (!end) return tl::unexpected(end.error());
  end_ = std::move(*end);
  return {};
}

ConclusionInput Round::conclusion_input(const logs::Relay& relay) const {
  return {.log = log_,
          .context = context_,
          .plan = plan_,
          .end = end_,
          .processes = supervisor_->workers(),
          .relay = relay,
          .hardware = preparation_.hardware,
          .oom_kills = supervisor_->oom_kills(),
          .stuck = supervisor_->stuck(),
          .errors = errors_,
          .attendance = supervisor_->attendance(),
          .gpu_watch = gpu_watch_.get()};
}

}  // namespace trainit
