// trainit [train]: runs the job of this host to its end.
//
// Promises: the exit code is the worker's own; exit 0 and the success marker only when every worker
// ended with 0; otherwise a failure file that says why. Whatever goes wrong before the first worker
// ends in a sentence, a failure file and 125 (126, 127); stop signal n in that time in 128 + n
// within a second.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "check/checks.h"
#include "check_subject.h"
#include "commands/commands.h"
#include "job/directories.h"
#include "job/permission.h"
#include "markers.h"
#include "output.h"
#include "preparation.h"
#include "record_places.h"
#include "recording.h"
#include "rounds.h"
#include "sys/process.h"
#include "sys/users.h"
#include "together.h"
#include "trainit/outcome.h"

namespace trainit::commands {
namespace {

/// Moves an earlier job's markers away, before anything can fail, and makes the job's directories.
/// False: there is no platform and no place for them, so this job goes without markers.
Result<bool> prepare_places(const TrainingJob& job, const Logger& log) {
  const Result<void> moved = set_aside_markers(job.paths);
  const Result<void> made = job::prepare_directories(job);
  if (!made && job.on_platform) return tl::unexpected(made.error());
  if (!made) {
    log.warning(
        "{}: there will be no success or failure file; set SAGEMAKER_BASE_DIR to a directory for "
        "them",
        made.error().message);
    return false;
  }
  TRAINIT_TRY(moved);
  if (!job::may(job.paths.model, W_OK | X_OK) && errno == EACCES)
    log.warning("{}", job::no_permission(job.paths.model, "leave a model there").value().message);
  return true;
}

/// The job's script has started trainit once more, or somebody beside it: the job's outcome is that
/// of the one that runs it.
void leave_places_alone(JobContext& context, const Logger& log) {
  log.warning(
      "another trainit runs this job and writes {}: the markers and the record are left to it, and "
      "only the exit code tells this one's outcome",
      record_path(context));
  context.options.record = "none";
}

Result<std::optional<sys::Credentials>> find_worker_user(const JobContext& context) {
  if (context.options.user.empty()) return std::nullopt;
  sys::Credentials user = TRAINIT_TRY(sys::find_user(context.options.user));
  if (sys::is_ourselves(user)) return std::nullopt;
  for (const std::string& directory : job::writable_directories(context.job)) {
    TRAINIT_TRY(
        sys::give_ownership(directory, user.uid, user.gid, signal_rules(context.options).stops()));
  }
  return user;
}

/// Says what is wrong, but for the first error, which is the job's failure.
Result<void> judge_preflight(const check::Report& report, const Logger& log) {
  std::vector<std::string> errors;
  for (const check::AreaReport& area : report.areas) {
    if (area.area == "deep" && !area.skipped) log.info("the GPUs: {}", area.text);
  }
  for (const check::Finding& finding : report.findings()) {
    const std::string text = fmt::format("{}: {}", finding.what, finding.remedy);
    if (finding.severity == check::Severity::kError) errors.push_back(text);
    if (finding.severity == check::Severity::kError && errors.size() > 1) log.error("{}", text);
    if (finding.severity == check::Severity::kWarning)
      log.warning("{}: {}: {}", finding.what, finding.why, finding.remedy);
  }
  if (errors.empty()) return {};
  const std::size_t more = errors.size() - 1;
  return fail(fmt::format("preflight: {}{}", errors.front(),
                          more == 0 ? ""
                                    : fmt::format("; and {} more error{}: trainit check shows all",
                                                  more, more == 1 ? "" : "s")));
}

class Train {
 public:
  /// `owns_places`: no other trainit keeps the markers and the record of this job.
  Train(const CommandLine& line, sys::Inheritance inheritance, const JobContext& context,
        bool owns_places, Logger& log)
      : line_(line),
        inheritance_(std::move(inheritance)),
        context_(context),
        owns_places_(owns_places),
        log_(log) {}

  Result<int> run() {
    if (owns_places_) markers_ = TRAINIT_TRY(prepare_places(context_.job, log_));
    TRAINIT_TRY(prepare_log_directories(context_.options));
    preparation_ = TRAINIT_TRY(prepare(line_, context_, log_, true));
    Preparation& preparation = preparation_;
    code::make_executable(preparation.command);
    user_ = TRAINIT_TRY(find_worker_user(context_));
    TRAINIT_TRY(look_first(preparation));
    if (const auto stopped = stopped_early(context_.options)) return tl::unexpected(*stopped);
    loop_ = TRAINIT_TRY(sys::EventLoop::create());
    if (!preparation.together) return run_workers();
    sys::raise_open_files();  // a connection for each host
    peers_ = TRAINIT_TRY(open_peers(*loop_, context_, preparation, true, log_));
    const sys::TimePoint begin = sys::Clock::now();
    const auto agreement = peers_->meet([this] { return stopped_early(context_.options); });
    waited_for_hosts_ = sys::Clock::now() - begin;
    if (!agreement) return tl::unexpected(agreement.error());
    if (preparation.ranks) preparation.agreement = *agreement;
    return run_workers();
  }

  /// Leaves the failure of a job that had no worker. Returns its exit code.
  int fail(const Error& error) const {
    const Error cause = stopped_early(context_.options).value_or(error);
    const Outcome outcome = leave_set_up_failure(cause, context_.job, owns_places_, log_);
    std::optional<Ledger> ledger;
    if (peers_ != nullptr)
      ledger.emplace(Ledger{.launched_at = launched_at_, .waited = waited_for_hosts_});
    record_set_up_failure(context_, preflight_, ledger, preparation_.hardware.gpus.count(),
                          outcome);
    return outcome.exit_code;
  }

  /// Who fails before the hosts have met is not waited for any longer; its own failure is written
  /// by then.
  void tell_others(const Error& why) {
    constexpr sys::Duration kPatience = coordination::Limits{}.withdraw;
    if (peers_ != nullptr || stopped_early(context_.options)) return;
    if (!preparation_.together) {
      auto prepared = prepare_to_meet(context_);
      if (!prepared || !prepared->together) return;
      preparation_ = std::move(*prepared);
    }
    auto loop = sys::EventLoop::create();
    if (!loop) return;
    const auto peers = open_peers(*loop, context_, preparation_, false, log_);
    if (!peers) return;
    const auto patience = std::min<sys::Duration>(kPatience, context_.options.meet_timeout);
    log_.info("telling the other hosts, which have {} to come",
              human_seconds(sys::in_seconds(patience)));
    withdraw(**peers, why, context_.options, log_, patience);
  }

 private:
  /// Error: the job could not work here.
  Result<void> look_first(const Preparation& preparation) {
    if (context_.options.preflight == Preflight::kOff) return {};
    const check::Subject subject = check_subject(context_, preparation);
    const bool deep = context_.options.preflight == Preflight::kDeep;
    if (deep) announce_deep_check(subject, log_);
    check::Report report = deep ? check::check_deeply(subject) : check::check_quickly(subject);
    // What a stop cut short is no finding.
    if (stopped_early(context_.options)) return {};
    preflight_ = std::move(report);
    return judge_preflight(*preflight_, log_);
  }

  /// Error: no worker was started, and the other hosts know it.
  Result<int> run_workers() {
    Rounds rounds({.loop = *loop_,
                   .inheritance = inheritance_,
                   .context = context_,
                   .preparation = preparation_,
                   .log = log_,
                   .peers = peers_.get(),
                   .user = user_,
                   .preflight = preflight_,
                   .markers = markers_,
                   .launched_at = launched_at_,
                   .waited_for_hosts = waited_for_hosts_});
    Result<int> code = rounds.run();
    if (!code && peers_ != nullptr) withdraw(*peers_, code.error(), context_.options, log_);
    return code;
  }

  const CommandLine& line_;
  sys::Inheritance inheritance_;
  const JobContext& context_;
  bool owns_places_;
  Logger& log_;
  std::optional<check::Report> preflight_;  ///< nothing: it was off, or the job failed before it
  bool markers_ = false;
  std::optional<sys::Credentials> user_;
  // In this order: the peers hold on to the loop and to where the leader listens.
  Preparation preparation_;
  std::optional<sys::EventLoop> loop_;
  std::unique_ptr<coordination::Peers> peers_;  ///< null: this host is alone
  sys::TimePoint launched_at_ = sys::Clock::now();
  sys::Duration waited_for_hosts_{};
};

}  // namespace

int train(const CommandLine& line, sys::Inheritance inheritance, Logger& log) {
  const Environment environment = Environment::of_process();
  Result<JobContext> context = read_context(line, environment, log);
  if (!context)
    return leave_early_failure(context.error(), TrainingJob::unread(environment), log).exit_code;
  configure(log, *context);
  for (const int signal : signal_rules(context->options).dropped())
    sys::drop_signal(inheritance.signals, signal);
  const bool owns_places = !is_recorded_now(*context);
  if (!owns_places) leave_places_alone(*context, log);
  Train job(line, std::move(inheritance), *context, owns_places, log);
  const Result<int> code = job.run();
  const int exit_code = code ? *code : job.fail(code.error());
  if (!code) job.tell_others(code.error());
  return mapped_exit_code(exit_code, context->options.exit_codes, log);
}

}  // namespace trainit::commands
