#include "output.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "sys/files.h"
#include "sys/posix.h"

namespace trainit {
namespace {

using supervise::JobEnd;

/// How long a reader may take nothing; less where somebody waits for our end.
constexpr std::chrono::seconds kPatience(2), kPatienceOnceStopped(1);
/// How long one may take all in all that reads on, when nobody waits to kill us.
constexpr std::chrono::seconds kWithoutHurry(60);
/// Between our last write and the platform's SIGKILL.
constexpr std::chrono::milliseconds kToExit(200);

sys::Duration time_left(const LaunchPlan& plan, const JobEnd& end) {
  if (!end.stop_asked_at) return kWithoutHurry;
  const sys::Duration left = plan.stop.total - kToExit - (sys::Clock::now() - *end.stop_asked_at);
  return std::clamp<sys::Duration>(left, sys::Duration::zero(), kWithoutHurry);
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

Result<void> prepare_log_directories(const Options& options) {
  if (options.logs == Logs::kInherit && !options.log_directory.empty()) {
    return fail(
        "--logs inherit lets the workers write to trainit's own stdout and stderr, so there is "
        "nothing to keep in --log-dir: give one of the two");
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

void finish_output(logs::Relay& relay, const LaunchPlan& plan, const JobEnd* end) {
  const sys::Duration left = end == nullptr ? sys::Duration(kPatience) : time_left(plan, *end);
  const bool stopped = end != nullptr && end->reason == supervise::StopReason::kPlatform;
  relay.finish(std::min<sys::Duration>(stopped ? kPatienceOnceStopped : kPatience, left), left);
}

}  // namespace trainit
