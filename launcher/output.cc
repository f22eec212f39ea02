#include "output.h"

#include <fmt/core.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "sys/files.h"
#include "sys/posix.h"
#include "sys/signals.h"

namespace trainit {
namespace {

/// How long a reader may take nothing; less where somebody waits for our end.
constexpr std::chrono::seconds kPatience(2), kPatienceOnceStopped(1);
/// How long one may take all in all that reads on, when nobody waits to kill us.
constexpr std::chrono::seconds kWithoutHurry(60);
/// Between our last write and the platform's SIGKILL.
constexpr std::chrono::milliseconds kToExit(200);

using StopTime = std::optional<sys::TimePoint>;

sys::Duration time_left(const LaunchPlan& plan, StopTime stop_asked_at) {
  if (!stop_asked_at) return kWithoutHurry;
  const sys::Duration left = plan.stop.total - kToExit - (sys::Clock::now() - *stop_asked_at);
  return std::clamp<sys::Duration>(left, sys::Duration::zero(), kWithoutHurry);
}

/// False: a stop signal came.
bool wait_for_readers(logs::Relay& relay, const LaunchPlan& plan, StopTime stop_asked_at,
                      sys::BorrowedFd stops) {
  const sys::Duration left = time_left(plan, stop_asked_at);
  const sys::Duration patience = stop_asked_at ? kPatienceOnceStopped : kPatience;
  return relay.finish(std::min(patience, left), left, stops);
}

void take_signals(sys::BorrowedFd signals) {
  signalfd_siginfo taken;
  while (posix::read(signals.get(), &taken, sizeof taken) > 0) continue;
}

logs::WhenFull when_full(LogsFull choice) {
  switch (choice) {
    case LogsFull::kDrop:
      return logs::WhenFull::kDrop;
    case LogsFull::kSpill:
      return logs::WhenFull::kSpill;
    default:
      return logs::WhenFull::kBlock;
  }
}

}  // namespace

const char* asked_of_relay(const Options& options) {
  const std::pair<bool, const char*> kOptions[] = {
      {!options.log_directory.empty(), "--log-dir"},
      {options.log_rank_0_only, "--log-ranks"},
      {options.log_prefix.has_value(), "--log-prefix"},
      {options.log_prefix_rank_0, "--log-prefix-rank-0"},
      {options.logs_full != LogsFull::kBlock, "--logs-full"},
      {options.collapse_progress, "--progress"},
  };
  for (const auto& [asked, name] : kOptions) {
    if (asked) return name;
  }
  return nullptr;
}

Result<void> prepare_log_directories(const Options& options) {
  const char* const useless = options.logs == Logs::kInherit ? asked_of_relay(options) : nullptr;
  if (useless != nullptr) {
    return fail(
        fmt::format("--logs inherit lets the workers write to trainit's own stdout and stderr, of "
                    "which it sees nothing, so {} means nothing: give one of the two",
                    useless));
  }
  for (const std::string& path : {options.log_directory, options.spill_directory}) {
    if (path.empty()) continue;
    TRAINIT_TRY(sys::make_directories(path));
    if (posix::access(path.c_str(), W_OK) != 0)
      return fail(fmt::format("keeping logs in {}: {}", path, sys::errno_text(errno)));
  }
  return {};
}

logs::RelayOptions relay_options(const JobContext& context, const LaunchPlan& plan) {
  const Options& chosen = context.options;
  logs::RelayOptions options;
  options.host = context.job.resources.current_host;
  options.first_rank = plan.workers[0].rank;
  options.prefix = chosen.log_prefix;
  options.prefix_rank_zero = chosen.log_prefix_rank_0;
  options.only_rank_zero = chosen.log_rank_0_only;
  options.directory = chosen.log_directory;
  options.file_bytes = chosen.log_file_bytes;
  options.when_full = when_full(chosen.logs_full);
  options.spill_directory = chosen.spill_directory;
  options.collapse_progress = chosen.collapse_progress;
  return options;
}

RelayedLog::RelayedLog(Logger& log, logs::Relay& relay) : log_(log), before_(log.sink()) {
  log.set_sink([&relay](std::string_view lines) {
    relay.say(lines);
    return lines.size();
  });
  relay.on_trouble([&log](const std::string& text) { log.warning("{}", text); });
}

void finish_output(logs::Relay& relay, const LaunchPlan& plan, StopTime stop_asked_at) {
  const Result<sys::UniqueFd> opened = sys::open_stop_fd(plan.signals.stops());
  const sys::BorrowedFd stops(opened ? opened->get() : -1);
  while (!wait_for_readers(relay, plan, stop_asked_at, stops)) {
    take_signals(stops);
    // Whoever asks again will not wait any longer.
    if (stop_asked_at) {
      relay.finish(sys::Duration::zero(), sys::Duration::zero());
      return;
    }
    stop_asked_at = sys::Clock::now();
  }
}

}  // namespace trainit
