#include "markers.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/text.h"
#include "record_places.h"
#include "sys/files.h"
#include "sys/posix.h"
#include "trainit/outcome.h"

namespace trainit {
namespace {

/// What is left here is all that the platform learns of the job, and what fails for want of a
/// descriptor or of memory may succeed a moment later.
template <class Attempt>
auto insistently(Attempt attempt) {
  constexpr int kTries = 3;
  constexpr int kPauseMilliseconds = 20;
  auto result = attempt();
  for (int tries = 1; !result && tries < kTries; ++tries) {
    posix::poll(nullptr, 0, kPauseMilliseconds);
    result = attempt();
  }
  return result;
}

Result<void> remove_success(const Paths& paths) {
  if (posix::unlink(paths.success.c_str()) == 0) return {};
  const int error = errno;
  // On a read-only disk the kernel says so before it looks whether there is anything to remove.
  struct stat status = {};
  const bool there =
      posix::lstat(paths.success.c_str(), &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
  if (!there) return {};
  return fail(fmt::format("{} does not go away: {}", paths.success, sys::errno_text(error)));
}

Outcome leave_failure(Outcome outcome, const Paths& paths, bool markers, const Logger& log) {
  if (!markers) {
    log.error("exit {}", outcome.exit_code);
    return outcome;
  }
  // A worker may have left the marker of success before it failed.
  const Result<void> removed = insistently([&] { return remove_success(paths); });
  if (!removed) log.last_resort("{}", removed.error().message);
  const Result<bool> written = insistently([&] { return write_failure(paths, outcome.failure); });
  outcome.wrote_failure = written.value_or(false);
  if (!written) {
    log.last_resort("the failure file could not be written: {}; its text:",
                    written.error().message);
    for (const std::string_view text : split(outcome.failure, '\n')) log.last_resort("{}", text);
  } else if (*written) {
    log.error("failure written to {}; exit {}", paths.failure, outcome.exit_code);
  } else {
    log.error("{} is kept as the job wrote it; exit {}", paths.failure, outcome.exit_code);
  }
  return outcome;
}

}  // namespace

int mapped_exit_code(int code, const std::map<int, int>& exit_codes, const Logger& log) {
  const auto mapped = exit_codes.find(code);
  if (mapped == exit_codes.end()) return code;
  log.info("exit {} instead of {} (--exit-map)", mapped->second, code);
  return mapped->second;
}

Outcome leave_set_up_failure(const Error& error, const TrainingJob& job, bool markers,
                             const Logger& log) {
  log.error("{}", error.message);
  const bool has_place = job.on_platform || sys::is_directory(job.paths.output);
  return leave_failure({error.exit_code, log.masked(error.message)}, job.paths,
                       markers && has_place, log);
}

Outcome leave_early_failure(const Error& error, const TrainingJob& job, const Logger& log) {
  if (job_runs(Environment::of_process())) {
    log.error("{}", error.message);
    return {error.exit_code, {}, false};
  }
  if (const auto moved = set_aside_markers(job.paths); !moved)
    log.warning("{}", moved.error().message);
  return leave_set_up_failure(error, job, true, log);
}

Outcome leave_marker(Outcome outcome, const Paths& paths, bool markers, const Logger& log) {
  if (!outcome.success()) return leave_failure(std::move(outcome), paths, markers, log);
  const Result<void> written =
      markers ? insistently([&] { return write_success(paths); }) : Result<void>();
  if (!written) {
    const std::string failure =
        "every worker ended well, but the success marker could not be written: " +
        written.error().message;
    log.error("{}; exit {}", failure, kSetUpFailed);
    return leave_failure({kSetUpFailed, failure}, paths, markers, log);
  }
  if (markers && sys::exists(paths.failure)) {
    log.warning(
        "the job wrote {} and ended well all the same: that file stays beside the marker of "
        "success",
        paths.failure);
  }
  log.info("success");
  return {};
}

}  // namespace trainit
