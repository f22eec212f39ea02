// trainit [train]: runs the job of this host to its end.
//
// Promises: the exit code is the worker's own; exit 0 and the success marker only when every worker
// ended with 0; otherwise a failure file that says why. Whatever goes wrong before the first worker
// ends in a sentence, a failure file and 125 (126, 127); stop signal n in that time in 128 + n
// within a second.
#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
#include "check/checks.h"
#include "check_subject.h"
#include "commands/commands.h"
#include "conclusion.h"
#include "error_directory.h"
#include "job/directories.h"
#include "logs/relay.h"
#include "output.h"
#include "plan/launch_plan.h"
#include "preparation.h"
#include "record_places.h"
#include "recording.h"
#include "report/record.h"
#include "store_access.h"
#include "supervise/supervisor.h"
#include "sys/files.h"
#include "sys/process.h"
#include "sys/users.h"
#include "together.h"
#include "trainit/outcome.h"

namespace trainit::commands {
namespace {

/// A terminal that a person sits at. The SDK's local mode gives every container one of 0 by 0, and
/// takes what is written to it for a log.
bool has_terminal() {
  winsize size = {};
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 &&
         ::isatty(STDERR_FILENO) == 1 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
         size.ws_row > 0 && size.ws_col > 0;
}

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
  return true;
}

Result<std::optional<sys::Credentials>> find_worker_user(const JobContext& context) {
  if (context.options.user.empty()) return std::nullopt;
  sys::Credentials user = TRAINIT_TRY(sys::find_user(context.options.user));
  for (const std::string& directory : job::writable_directories(context.job)) {
    TRAINIT_TRY(
        sys::give_ownership(directory, user.uid, user.gid, signal_rules(context.options).stops()));
  }
  return user;
}

void log_plan(const JobContext& context, const LaunchPlan& plan, const Preparation& preparation,
              const Logger& log) {
  const std::size_t count = plan.workers.size();
  const std::string command = join(context.secrets.mask_arguments(plan.workers[0].argv), " ");
  if (preparation.ranks) {
    const int first = plan.workers[0].rank, last = plan.workers.back().rank;
    log.info("{} worker{}, rank{} of {}: {}", count, count == 1 ? "" : "s",
             count == 1 ? fmt::format(" {}", first) : fmt::format("s {}–{}", first, last),
             preparation.agreement.world_size, command);
  } else {
    log.info("{} worker{}: {}", count, count == 1 ? "" : "s", command);
  }
  if (!plan.notes.empty()) log.info("set because unset: {}", join(plan.notes, " "));
  const int gpus = preparation.hardware.gpus.count();
  if (preparation.command.script_mode && count == 1 && gpus > 1) {
    log.info(
        "one process for {} GPUs, as the platform's toolkit starts it: --workers gpu starts one "
        "per GPU",
        gpus);
  }
}

/// The record is evidence, not the job: without it the job goes on.
report::RunRecord open_record(const JobContext& context, const Logger& log) {
  auto record =
      open_record(context, [&log](std::string_view message) { log.warning("{}", message); });
  if (record) return std::move(*record);
  log.warning("there will be no run record: {}", record.error().message);
  return {};
}

void warn_of_empty_model(const Paths& paths, const Logger& log) {
  const auto names = sys::list_directory(paths.model);
  if (names && names->empty())
    log.warning("{} is empty: the job leaves no model behind", paths.model);
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

/// The stop that was asked for before the first worker; nothing: none was.
std::optional<Error> stopped_early(const Options& options) {
  const SignalRules rules = signal_rules(options);
  const auto came = sys::pending_signal(rules.stops());
  if (!came) return std::nullopt;
  const int signal = rules.rewrite(*came);
  return Error{fmt::format("stopped by {} before any worker was started", sys::signal_name(signal)),
               128 + signal};
}

/// Leaves the failure of a job that had no worker. Returns its exit code.
int fail_early(const Error& error, const JobContext& context,
               const std::optional<check::Report>& preflight, const Logger& log) {
  const Error cause = stopped_early(context.options).value_or(error);
  const Verdict verdict = leave_set_up_failure(cause, context.job.paths, log);
  record_set_up_failure(context, preflight, verdict);
  return verdict.exit_code;
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
  Train(const CommandLine& line, sys::Inheritance inheritance, const JobContext& context,
        Logger& log)
      : line_(line), inheritance_(std::move(inheritance)), context_(context), log_(log) {}

  Result<int> run() {
    markers_ = TRAINIT_TRY(prepare_places(context_.job, log_));
    TRAINIT_TRY(prepare_log_directories(context_.options));
    preparation_ = TRAINIT_TRY(prepare(line_, context_, log_, true));
    Preparation& preparation = preparation_;
    user_ = TRAINIT_TRY(find_worker_user(context_));
    TRAINIT_TRY(look_first(preparation));
    if (const auto stopped = stopped_early(context_.options)) return tl::unexpected(*stopped);
    loop_ = TRAINIT_TRY(sys::EventLoop::create());
    if (!preparation.together) return run_workers(preparation);
    sys::raise_open_files();  // a connection for each host
    peers_ = TRAINIT_TRY(open_peers(*loop_, context_, preparation, log_));
    const sys::TimePoint begin = sys::Clock::now();
    const auto agreement =
        TRAINIT_TRY(peers_->meet([this] { return stopped_early(context_.options); }));
    ledger_.waited = sys::Clock::now() - begin;
    if (preparation.ranks) preparation.agreement = agreement;
    Result<int> code = run_workers(preparation);
    if (!code) tell_trouble(code.error());
    return code;
  }

  /// What --preflight saw; nothing: it was off, or the job failed before it.
  const std::optional<check::Report>& preflight() const { return preflight_; }

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

  /// Plans, and goes through with it. Error: no worker was started.
  Result<int> run_workers(const Preparation& preparation) {
    const ErrorDirectory errors(context_.inherited, user_);
    if (errors.path().empty()) {
      log_.warning(
          "no directory for error files can be made in TMPDIR, /tmp or /dev/shm: "
          "TORCHELASTIC_ERROR_FILE is not set");
    }
    PlanInput input = plan_input(context_, preparation);
    input.user = user_;
    input.terminal = has_terminal();
    input.error_directory = errors.path();
    const LaunchPlan plan = TRAINIT_TRY(make_plan(input));
    log_plan(context_, plan, preparation, log_);
    if (const auto stopped = stopped_early(context_.options)) return tl::unexpected(*stopped);
    return supervise(plan, preparation, errors);
  }

  /// The other hosts are not to wait for this one.
  void tell_trouble(const Error& error) {
    coordination::message::Ended end;
    end.end.trouble = log_.masked(error.message);
    end.end.trouble_code = error.exit_code;
    peers_->ended(std::move(end));
    while (!peers_->done()) loop_->run_once();
  }

  supervise::Supervisor::Peers peers_of_supervisor() {
    if (peers_ == nullptr) return {};
    return {.tell = [this](diagnose::StopReason reason, int signal,
                           const std::string& text) { peers_->stop_began(reason, signal, text); },
            .hurry = [this] { peers_->hurry(); },
            .lost_store =
                [this](const sys::ExitStatus& status) {
                  own_.store = status;
                  own_.success = false;
                  own_.reason = diagnose::StopReason::kStoreEnded;
                  own_.stop_at = sys::Clock::now();
                  peers_->stop_began(own_.reason, 0,
                                     "the rendezvous store " + sys::describe(status));
                  peers_->ended({own_, {}, {}});
                }};
  }

  void stop_for_peers(const coordination::message::Stop& why, supervise::Supervisor& supervisor,
                      report::RunRecord& record) {
    record_hosts_stop(why, record);
    const bool lost = why.reason == diagnose::StopReason::kHostLost;
    if (why.reason == diagnose::StopReason::kPlatform) {
      log_.info("{} was asked to stop with {}: stopping the workers here too", why.host,
                sys::signal_name(why.signal));
    } else {
      log_.info("{}{} {}: stopping the workers here too", why.host, lost ? " is lost: it" : ":",
                why.text);
    }
    supervisor.stop_for_peers(why.reason, why.signal);
  }

  /// What all hosts report, when their parts are over.
  diagnose::Judgement agree_on_end(supervise::Supervisor& supervisor) {
    if (peers_ == nullptr) return diagnose::judge({&own_, 1});
    const Paths& paths = context_.job.paths;
    peers_->ended({own_, model_files(paths), model_place(paths)});
    constexpr auto kPatience = std::chrono::seconds(2);
    const auto patience = loop_->after(kPatience, [this] {
      if (!peers_->verdict()) log_.info("this host's part is over; waiting for the other hosts");
    });
    supervisor.attend_peers([this] { return peers_->done(); });
    loop_->cancel(patience);
    if (context_.options.host_outcome) return diagnose::judge({&own_, 1});
    return judgement_of(*peers_->verdict(), own_);
  }

  Result<int> supervise(const LaunchPlan& plan, const Preparation& preparation,
                        const ErrorDirectory& errors) {
    sys::EventLoop& loop = *loop_;
    const bool markers = markers_;
    report::RunRecord record = open_record(context_, log_);
    record_start(context_, record);
    if (preflight_) record_check(*preflight_, record);
    if (peers_ != nullptr) record_meeting(preparation, ledger_.waited, record);
    record_plan(context_, plan, record);
    logs::Relay relay(loop, static_cast<int>(plan.workers.size()), relay_options(context_, plan));
    std::optional<RelayedLog> relayed(std::in_place, log_, relay);
    const auto store = store_of(context_.options, preparation, peers_.get());
    const auto gpu_watch = gpu_watch_of(context_, preparation, record, log_);
    supervise::Supervisor supervisor(plan, {loop, inheritance_, relay, record, log_, store.get(),
                                            gpu_watch.get(), peers_of_supervisor()});
    if (peers_ != nullptr) {
      peers_->on_stop([this, &supervisor, &record](const coordination::message::Stop& why) {
        stop_for_peers(why, supervisor, record);
      });
    }
    const Result<supervise::JobEnd> end = supervisor.run();
    if (peers_ != nullptr) peers_->on_stop({});
    int code = kSetUpFailed;
    if (end) {
      const ConclusionInput input{log_,
                                  context_,
                                  plan,
                                  *end,
                                  supervisor.workers(),
                                  relay,
                                  preparation.hardware,
                                  supervisor.oom_kills(),
                                  supervisor.stuck(),
                                  errors,
                                  store && peers_ == nullptr ? &supervisor.rendezvous() : nullptr,
                                  gpu_watch.get()};
      own_ = host_end(input);
      const Conclusion conclusion = conclude(input, own_, agree_on_end(supervisor));
      ledger_.over_at = sys::Clock::now();
      if (peers_ != nullptr)
        record_ledger(ledger_, own_, preparation.hardware.gpus.count(), record);
      for (const std::string& text : conclusion.lines) log_.info("{}", text);
      if (markers && conclusion.failure.empty()) warn_of_empty_model(context_.job.paths, log_);
      const Verdict verdict = leave_marker(conclusion, context_.job.paths, markers, log_);
      code = verdict.exit_code;
      if (const auto took = end->checkpoint_time()) {
        record.write("checkpoint", {{"seconds", Json(sys::in_seconds(*took))},
                                    {"of", Json(sys::in_seconds(plan.stop.leaders))}});
      }
      record_outcome(conclusion, verdict, end->stop_signal, markers ? &context_.job.paths : nullptr,
                     record);
    }
    finish_output(relay, plan, end ? end->stop_asked_at : std::nullopt);
    relayed.reset();
    if (!end) return tl::unexpected(end.error());
    return code;
  }

  const CommandLine& line_;
  sys::Inheritance inheritance_;
  const JobContext& context_;
  Logger& log_;
  std::optional<check::Report> preflight_;
  bool markers_ = false;
  std::optional<sys::Credentials> user_;
  // In this order: the peers hold on to the loop and to where the leader listens.
  Preparation preparation_;
  std::optional<sys::EventLoop> loop_;
  std::unique_ptr<coordination::Peers> peers_;  ///< null: this host is alone
  diagnose::HostEnd own_;                       ///< how this host's part ended
  Ledger ledger_{.launched_at = sys::Clock::now()};
};

}  // namespace

int train(const CommandLine& line, sys::Inheritance inheritance, Logger& log) {
  const Environment environment = Environment::of_process();
  const Result<JobContext> context = read_context(line, environment, log);
  if (!context)
    return leave_early_failure(context.error(), Paths::from(environment), log).exit_code;
  configure(log, *context);
  for (const int signal : signal_rules(context->options).dropped())
    sys::drop_signal(inheritance.signals, signal);
  Train job(line, std::move(inheritance), *context, log);
  const Result<int> code = job.run();
  const int exit_code = code ? *code : fail_early(code.error(), *context, job.preflight(), log);
  return mapped_exit_code(exit_code, context->options.exit_codes, log);
}

}  // namespace trainit::commands
