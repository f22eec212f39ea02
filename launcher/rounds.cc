#include "rounds.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "between_rounds.h"
#include "conclusion.h"
#include "diagnose/restart.h"
#include "empty_model.h"
#include "markers.h"
#include "together.h"
#include "trainit/outcome.h"

namespace trainit {
namespace {

using coordination::message::Again;

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

/// The end of a job that failed is what `--log-level error` asks for.
void log_end(const Conclusion& conclusion, bool success, const Logger& log) {
  for (const std::string& text : conclusion.lines) {
    if (success) {
      log.info("{}", text);
    } else {
      log.error("{}", text);
    }
  }
}

}  // namespace

Rounds::Rounds(const Parts& parts) : parts_(parts) {
  ledger_.launched_at = parts.launched_at;
  ledger_.waited = parts.waited_for_hosts;
}

Result<int> Rounds::run() {
  std::unique_ptr<Round> round = TRAINIT_TRY(plan_round());
  log_plan(parts_.context, round->plan(), parts_.preparation, parts_.log);
  if (const auto stopped = stopped_early(parts_.context.options)) return tl::unexpected(*stopped);
  open(round->plan());
  Result<int> code = run_all(round);
  finish_output(*relay_, round->plan(), round->end().stop_asked_at);
  relayed_.reset();
  return code;
}

Result<std::unique_ptr<Round>> Rounds::plan_round() const {
  return Round::make(parts_.context, parts_.preparation, parts_.user, parts_.log);
}

/// What all rounds share.
void Rounds::open(const LaunchPlan& plan) {
  record_ = open_record(parts_.context, parts_.log);
  record_start(parts_.context, record_);
  if (parts_.preflight) record_check(*parts_.preflight, record_);
  if (parts_.peers != nullptr) record_meeting(parts_.preparation, ledger_.waited, record_);
  relay_.emplace(parts_.loop, static_cast<int>(plan.workers.size()),
                 relay_options(parts_.context, plan));
  relayed_.emplace(parts_.log, *relay_);
}

Result<int> Rounds::run_all(std::unique_ptr<Round>& round) {
  for (;;) {
    record_plan(parts_.context, round->plan(), record_);
    if (const Result<void> ran = run(*round); !ran) {
      if (parts_.preparation.agreement.round == 0) return tl::unexpected(ran.error());
      return leave_unstarted(ran.error(), *round);
    }
    ++begun_;
    ConclusionInput input = round->conclusion_input(*relay_);
    input.zero = ledger_.started_at;
    own_ = host_end(input);
    own_.host_rank = parts_.preparation.cluster.host_rank;
    stopped_for_peers_ = round->end().elsewhere;
    diagnose::Judgement judgement = judge(round->supervisor());
    if (again_) {
      end_round(conclude(input, own_, judgement));
      auto next = restart();
      if (next) {
        round = std::move(*next);
        continue;
      }
      judgement = give_up(next.error());
    }
    return leave(conclude(input, own_, judgement), *round);
  }
}

Result<void> Rounds::run(Round& round) {
  return round.run(
      {.loop = parts_.loop,
       .inheritance = parts_.inheritance,
       .relay = *relay_,
       .record = record_,
       .peers = parts_.peers,
       .told_peers = told_peers(),
       .on_stop = [this](const coordination::message::Stop& why,
                         supervise::Supervisor& supervisor) { stop_for_peers(why, supervisor); }});
}

supervise::Supervisor::Peers Rounds::told_peers() {
  coordination::Peers* peers = parts_.peers;
  if (peers == nullptr) return {};
  return {.tell = [peers](diagnose::StopReason reason, int signal,
                          const std::string& text) { peers->stop_began(reason, signal, text); },
          .hurry = [peers] { peers->hurry(); },
          .lost_store = [this](const sys::ExitStatus& status) { lose_store(status); },
          .attendance = {.hosts = peers->ranks(),
                         .joined = [peers](const std::optional<sys::Address>& from,
                                           pid_t process) { peers->joined(from, process); },
                         .late = [peers](sys::Duration after) { peers->late(after); },
                         .came = [peers](int rank) { peers->came(rank); }}};
}

/// When the workers here did not need it any more; those of other hosts may.
void Rounds::lose_store(const sys::ExitStatus& status) {
  own_.store = status;
  own_.success = false;
  own_.reason = diagnose::StopReason::kStoreEnded;
  own_.stop_at = sys::Clock::now();
  parts_.peers->stop_began(own_.reason, 0, "the rendezvous store " + sys::describe(status));
  parts_.peers->ended({own_, {}, {}});
}

void Rounds::stop_for_peers(const coordination::message::Stop& why,
                            supervise::Supervisor& supervisor) {
  record_hosts_stop(why, record_);
  const bool lost = why.reason == diagnose::StopReason::kHostLost;
  if (why.reason == diagnose::StopReason::kPlatform) {
    parts_.log.info("{} was asked to stop with {}: stopping the workers here too", why.host,
                    sys::signal_name(why.signal));
  } else {
    parts_.log.info("{}{} {}: stopping the workers here too", why.host, lost ? " is lost: it" : ":",
                    why.text);
  }
  supervisor.stop_for_peers(why.reason, why.signal);
}

/// How the round ended, and whether another one follows.
diagnose::Judgement Rounds::judge(supervise::Supervisor& supervisor) {
  again_.reset();
  return parts_.peers == nullptr ? judge_alone() : judge_with_peers(supervisor);
}

diagnose::Judgement Rounds::judge_alone() {
  diagnose::Judgement judgement = diagnose::judge({&own_, 1});
  diagnose::Verdict& verdict = judgement.verdict;
  if (verdict.success()) return judgement;
  const int round = parts_.preparation.agreement.round;
  const diagnose::RestartChoice choice =
      choose_restart(restart_limits(parts_.context.options), round, {&own_, 1});
  if (choice.delay) again_ = Again{round + 1, *choice.delay, verdict};
  if (!choice.why_not.empty()) verdict.lines.push_back(diagnose::not_restarted(choice.why_not));
  return judgement;
}

diagnose::Judgement Rounds::judge_with_peers(supervise::Supervisor& supervisor) {
  coordination::Peers& peers = *parts_.peers;
  const Paths& paths = parts_.context.job.paths;
  // Which are compared after a success alone.
  ModelFiles model;
  if (own_.success)
    model = model_files(parts_.loop, paths, [&supervisor] { return supervisor.stop_came(); });
  const std::string uncompared = uncompared_text(model);
  if (!uncompared.empty()) parts_.log.info("{}", uncompared);
  peers.ended({own_, std::move(model.names), model_place(paths)});
  constexpr auto kPatience = std::chrono::seconds(2);
  const auto patience = parts_.loop.after(kPatience, [this, &peers] {
    if (!peers.round_over())
      parts_.log.info("this host's part is over; waiting for the other hosts");
  });
  // After a stop there is no other round, whatever was on its way when it came, and its time goes
  // on.
  supervisor.attend_peers([&peers, &supervisor] {
    return peers.done() || (peers.round_over() && !supervisor.stop_came());
  });
  parts_.loop.cancel(patience);
  peers.on_arrivals({});
  if (!peers.done()) again_ = peers.again();
  return again_ ? judgement_of(again_->verdict, own_) : judgement_of_job();
}

diagnose::Judgement Rounds::judgement_of_job() const {
  if (parts_.peers != nullptr && !parts_.context.options.host_outcome)
    return judgement_of(*parts_.peers->verdict(), own_);
  diagnose::Judgement judgement = diagnose::judge({&own_, 1});
  if (parts_.peers == nullptr) return judgement;
  const diagnose::Verdict& of_all = *parts_.peers->verdict();
  if (is_end_of_others(judgement)) return judgement_of(of_all, own_);
  std::vector<std::string>& lines = judgement.verdict.lines;
  if (!judgement.verdict.success())
    std::copy_if(of_all.lines.begin(), of_all.lines.end(), std::back_inserter(lines),
                 diagnose::is_not_restarted);
  return judgement;
}

/// Whether only what happened on other hosts says why this one's workers did not end well.
bool Rounds::is_end_of_others(const diagnose::Judgement& judgement) const {
  return stopped_for_peers_ && own_.trouble.empty() && judgement.cause.evidence == nullptr &&
         !judgement.verdict.success();
}

/// What is said of a round after which the job goes on.
void Rounds::end_round(const Conclusion& conclusion) {
  for (const std::string& text : conclusion.lines) parts_.log.info("{}", text);
  const int most = parts_.preparation.agreement.max_restarts;
  const bool at_once = again_->delay == sys::Duration::zero();
  parts_.log.info("restart {} of {}{}", again_->round, most,
                  at_once ? "" : " in " + human_seconds(sys::in_seconds(again_->delay)));
  record_restart(conclusion, *again_, most, record_);
  ledger_.count_round(own_);
}

bool Rounds::is_given_up() const {
  if (pending_stop(parts_.context.options)) return true;
  return parts_.peers != nullptr && parts_.peers->done();
}

/// The next round, planned, when all hosts are ready for it. Error: why there is none.
Result<std::unique_ptr<Round>> Rounds::restart() {
  const auto given_up = [this] { return is_given_up(); };
  const auto never = [] { return false; };
  if (wait_in(parts_.loop, again_->delay, never, given_up)) {
    wait_for_gpu_memory(parts_.loop, parts_.context, parts_.preparation.hardware.gpus, parts_.log,
                        given_up);
    // Nobody runs any more who could have meant the next round's store.
    if (parts_.preparation.store) parts_.preparation.store->drop_waiting();
  }
  TRAINIT_TRY(agree_again());
  // What a worker of the last round left there is not the word of the next one.
  const auto moved = parts_.markers ? set_aside_markers(parts_.context.job.paths) : Result<void>();
  if (!moved) parts_.log.warning("{}", moved.error().message);
  Result<std::unique_ptr<Round>> round = plan_round();
  if (!round && parts_.peers != nullptr)
    withdraw(*parts_.peers, round.error(), parts_.context.options, parts_.log);
  return round;
}

Result<void> Rounds::agree_again() {
  environment::Agreement& agreement = parts_.preparation.agreement;
  std::optional<environment::Agreement> next;
  if (parts_.peers != nullptr) {
    next = parts_.peers->meet_again([this] { return is_given_up(); });
  } else if (!is_given_up()) {
    next = agreement;
    next->round = again_->round;
  }
  if (!next) return fail("a stop was asked for");
  const int round = next->round;
  if (parts_.preparation.ranks) agreement = *next;
  agreement.round = round;
  return {};
}

/// There was to be a restart, and there is none: what the round ended with is the outcome.
diagnose::Judgement Rounds::give_up(const Error& why) {
  coordination::Peers* peers = parts_.peers;
  const auto signal = pending_stop(parts_.context.options);
  if (peers != nullptr && !peers->done()) peers->stop_between(signal.value_or(SIGTERM));
  diagnose::Judgement judgement = judgement_of_job();
  if (peers == nullptr) judgement.verdict.lines.push_back(diagnose::not_restarted(why.message));
  return judgement;
}

/// A later round whose workers could not be started.
int Rounds::leave_unstarted(const Error& error, const Round& round) {
  own_ = {};
  own_.started_at = own_.ended_at = own_.stop_at = sys::Clock::now();
  own_.host = parts_.context.job.resources.current_host;
  own_.trouble = parts_.log.masked(error.message);
  own_.trouble_code = error.exit_code;
  if (parts_.peers != nullptr) withdraw(*parts_.peers, error, parts_.context.options, parts_.log);
  const diagnose::Verdict verdict = judgement_of_job().verdict;
  Conclusion conclusion;
  conclusion.exit_code = verdict.exit_code;
  conclusion.failure = verdict.failure;
  conclusion.lines = verdict.lines;
  return leave(conclusion, round);
}

void Rounds::warn_of_empty_model() const {
  const std::string text = empty_model_text(parts_.context.job.paths, parts_.preparation.cluster);
  if (!text.empty()) parts_.log.warning("{}", text);
}

int Rounds::leave(Conclusion conclusion, const Round& round) {
  const Paths& paths = parts_.context.job.paths;
  const supervise::JobEnd& end = round.end();
  if (parts_.peers != nullptr) {
    ledger_.over_at = sys::Clock::now();
    ledger_.count_round(own_);
    record_ledger(ledger_, own_, parts_.preparation.hardware.gpus.count(), record_);
  }
  conclusion.restarts = begun_ - 1;
  Outcome outcome{conclusion.exit_code, conclusion.failure};
  log_end(conclusion, outcome.success(), parts_.log);
  if (parts_.markers && conclusion.failure.empty()) warn_of_empty_model();
  outcome = leave_marker(std::move(outcome), paths, parts_.markers, parts_.log);
  if (const auto took = end.checkpoint_time()) {
    record_.write("checkpoint", {{"seconds", Json(sys::in_seconds(*took))},
                                 {"of", Json(sys::in_seconds(round.plan().stop.leaders))}});
  }
  record_outcome(conclusion, outcome, end.stop_signal, parts_.markers ? &paths : nullptr, record_);
  return outcome.exit_code;
}

}  // namespace trainit
