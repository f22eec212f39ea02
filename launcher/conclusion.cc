#include "conclusion.h"

#include <fmt/core.h>
#include <signal.h>

#include <algorithm>
#include <exception>

#include "base/text.h"
#include "diagnose/error_text.h"
#include "diagnose/evidence.h"
#include "recording.h"
#include "report/summary.h"

namespace trainit {
namespace {

using diagnose::Evidence;
using supervise::WorkerEnd;
using sys::in_seconds;

/// A worker that never ended by any account was beyond even SIGKILL, or its turn never came.
sys::ExitStatus status_of(const WorkerEnd& end) {
  return end.status.value_or(sys::ExitStatus::killed(SIGKILL));
}

/// When something happened to a worker that is said to have happened then. It did not happen
/// before its start: by little, and the kernel's tick was late, as it is where a virtual machine
/// has to wait for its processors; by more, and the clock was set, or somebody set the file's time.
sys::TimePoint moment_in_life(sys::TimePoint moment, const Evidence& evidence) {
  constexpr sys::Duration kLateTick = std::chrono::seconds(1);
  const sys::TimePoint start = evidence.exited_at - evidence.after;
  if (moment < start - kLateTick) return {};
  return std::max(start, std::min(moment, evidence.exited_at));
}

/// What one output of a worker tells of its end, and when that came.
struct Account {
  diagnose::ErrorText error;
  sys::TimePoint at;
};
using FindAccount = std::optional<diagnose::ErrorText> (*)(std::string_view tail,
                                                           std::string_view beginning);

/// Where it is as long as a tail can be, there was more before it.
environment::MaskedText mask_tail(const environment::Secrets& secrets, std::string_view text) {
  const bool cut_off = text.size() >= logs::Tail::kBytes;
  return cut_off ? secrets.apply_behind_cut(text) : secrets.apply(text);
}

/// Masks what stood among terminal escapes, a secret with its digits in another colour: the words
/// are without them.
diagnose::ErrorText mask_words(const environment::Secrets& secrets, diagnose::ErrorText error) {
  for (std::string* words :
       {&error.summary, &error.location, &error.frame, &error.detail, &error.last_line})
    *words = secrets.mask(*words);
  return error;
}

/// Masked before anything is looked for in it: a secret that was cut is not known any more.
std::optional<Account> account_in(const ConclusionInput& input, int rank, logs::Stream stream,
                                  FindAccount find) {
  const environment::Secrets& secrets = input.context.secrets;
  const environment::MaskedText tail = mask_tail(secrets, input.relay.tail(rank, stream));
  const logs::Tail::Beginning beginning = input.relay.beginning(rank, stream);
  auto error = find(tail.text, secrets.mask_cut_off(beginning.text));
  if (!error) return std::nullopt;
  const sys::TimePoint at =
      error->offset == diagnose::ErrorText::kBeforeTail
          ? beginning.at
          : input.relay.arrived_at(rank, stream, tail.original_offset(error->offset));
  return Account{mask_words(secrets, std::move(*error)), at};
}

/// A recognised error: that in stderr, unless that in stdout explains the end better. NCCL warns on
/// stdout, and the program says on stderr why it ends; which was first is known but roughly.
std::optional<Account> recognised_account(const ConclusionInput& input, int rank) {
  constexpr sys::Duration kAtOnce = std::chrono::milliseconds(100);
  auto said = account_in(input, rank, logs::Stream::kStderr, diagnose::find_error);
  auto printed = account_in(input, rank, logs::Stream::kStdout, diagnose::find_error);
  if (!printed || (said && !diagnose::outweighs(printed->error, said->error))) return said;
  if (said) return printed;
  const auto last = account_in(input, rank, logs::Stream::kStderr, diagnose::last_lines);
  if (last && last->at + kAtOnce >= printed->at)
    diagnose::add_last_words(printed->error, last->error);
  return printed;
}

/// The worker's own words, best first: the file it wrote for this purpose, a recognised error in
/// what it printed, and then just its last lines.
void add_words(const ConclusionInput& input, Evidence& evidence) {
  if (const auto file = input.errors.read(evidence.rank)) {
    const environment::Secrets& secrets = input.context.secrets;
    if (auto error = diagnose::read_error_file(secrets.mask(file->text))) {
      evidence.error = mask_words(secrets, std::move(*error));
      evidence.first_error_at = moment_in_life(file->written_at, evidence);
      return;
    }
  }
  if (auto account = recognised_account(input, evidence.rank)) {
    evidence.error = std::move(account->error);
    evidence.first_error_at = account->at;
  } else if (auto last =
                 account_in(input, evidence.rank, logs::Stream::kStderr, diagnose::last_lines)) {
    evidence.error = std::move(last->error);
  }
}

/// Nothing that a worker printed, nor a want of memory for it, may cost the job its outcome.
void add_words_if_possible(const ConclusionInput& input, Evidence& evidence) {
  try {
    add_words(input, evidence);
  } catch (const std::exception& problem) {
    evidence.error = std::nullopt;
    input.log.warning("what rank {} printed could not be searched for its error: {}", evidence.rank,
                      problem.what());
  }
}

/// A worker alone may use them all. One of several uses that of its local rank, by the convention
/// of every framework, or because we isolated it.
std::vector<int> gpus_of(const ConclusionInput& input, std::size_t index) {
  const int count = input.hardware.gpus.count();
  if (count == 0) return {};
  const bool alone = input.plan.workers.size() == 1 && !input.context.options.isolate_gpus;
  if (!alone) return {input.plan.workers[index].local_rank % count};
  std::vector<int> all;
  all.reserve(input.hardware.gpus.devices.size());
  for (const Gpu& gpu : input.hardware.gpus.devices) all.push_back(gpu.index);
  return all;
}

Evidence evidence_of(const ConclusionInput& input, std::size_t index) {
  const WorkerEnd& end = input.end.workers[index];
  Evidence evidence;
  evidence.host = input.context.job.resources.current_host;
  evidence.rank = input.plan.workers[index].rank;
  evidence.status = status_of(end);
  evidence.spawn_error = end.spawn_error;
  evidence.spawn_text = input.context.secrets.mask(input.processes[index].spawn_text);
  evidence.stopped_by_us = end.told_to_stop;
  if (end.told_to_stop && input.end.stop_at) evidence.told_at = *input.end.stop_at;
  evidence.killed_by_us = input.end.may_have_killed(end);
  evidence.memory_limit = input.hardware.memory_limit;
  evidence.shared_memory = input.hardware.shm_size;
  evidence.gpus = gpus_of(input, index);
  evidence.after = end.ended_at - end.started_at;
  evidence.exited_at = end.ended_at;
  if (!evidence.status.success()) add_words_if_possible(input, evidence);
  return evidence;
}

std::vector<report::WorkerSummary> summaries_of(const ConclusionInput& input) {
  std::vector<report::WorkerSummary> summaries;
  for (std::size_t index = 0; index < input.plan.workers.size(); ++index) {
    const WorkerEnd& end = input.end.workers[index];
    const supervise::WorkerProcess& process = input.processes[index];
    report::WorkerSummary summary;
    summary.rank = input.plan.workers[index].rank;
    summary.pid = process.last_pid;
    summary.ended = !end.status ? (process.last_pid < 0 ? "not started" : "not at all")
                    : end.status->signal != 0 ? sys::signal_name(end.status->signal)
                                              : std::to_string(end.status->code);
    summary.after = end.ended_at - end.started_at;
    summary.max_memory_kib = process.max_memory_kib;
    summaries.push_back(summary);
  }
  return summaries;
}

/// A job may go on although the kernel took, say, a helper that its script started again.
void add_oom_kills(const ConclusionInput& input, std::vector<std::string>& lines) {
  const std::int64_t kills = input.oom_kills.value_or(0);
  if (kills <= 0) return;
  lines.push_back(fmt::format("the kernel killed {} process{} of this container for want of memory",
                              kills, kills == 1 ? "" : "es"));
}

/// How much of their time the workers took after a stop signal, most of it for a checkpoint.
void add_checkpoint_time(const ConclusionInput& input, std::vector<std::string>& lines) {
  const auto took = input.end.checkpoint_time();
  if (!took) return;
  lines.push_back(fmt::format("checkpoint took {} of {}", human_seconds(in_seconds(*took)),
                              human_seconds(in_seconds(input.plan.stop.leaders))));
}

/// "2 processes did not end within 0.6 s of SIGKILL, 1 of them in uninterruptible sleep, …"
std::string describe_stuck(const supervise::Stuck& stuck, sys::Duration after) {
  return fmt::format(
      "{} process{} did not end within {} of SIGKILL{}", stuck.processes,
      stuck.processes == 1 ? "" : "es", human_seconds(in_seconds(after)),
      stuck.in_kernel == 0
          ? ""
          : fmt::format(", {} of them in uninterruptible sleep, most likely in a driver",
                        stuck.in_kernel));
}

void add_oddities(const ConclusionInput& input, std::vector<std::string>& lines) {
  const auto stuck_after = input.end.stuck_after;
  if (input.end.survivors && !stuck_after)
    lines.emplace_back("processes outlived their worker and were ended");
  if (stuck_after && !input.stuck)
    lines.emplace_back(
        "processes that left their worker's process group may still run: without /proc they cannot "
        "be found");
  if (stuck_after && input.stuck) lines.push_back(describe_stuck(*input.stuck, *stuck_after));
}

/// What was wrong with the GPUs, be it with the job's failure or in spite of its success.
void add_gpus(const ConclusionInput& input, Conclusion& conclusion) {
  if (input.gpu_watch == nullptr) return;
  const supervise::GpuHealth& health = input.gpu_watch->health();
  for (std::string& remark : health.remarks()) conclusion.lines.push_back(std::move(remark));
  conclusion.gpus = health.summary();
}

/// How many processes of the workers the kernel killed for want of memory: of those that it took
/// one was the store, when SIGKILL ended that, and one was who watched the GPUs.
std::optional<std::int64_t> kills_of_workers(const ConclusionInput& input) {
  if (!input.oom_kills) return std::nullopt;
  const auto was_killed = [](const std::optional<sys::ExitStatus>& end) {
    return end && end->signal == SIGKILL;
  };
  std::int64_t kills = *input.oom_kills;
  if (was_killed(input.end.store)) --kills;
  if (input.gpu_watch != nullptr && was_killed(input.gpu_watch->own_end())) --kills;
  return std::max<std::int64_t>(kills, 0);
}

/// When the first worker was started. One that a stop forestalled has no start; when none has,
/// that is when the stop came.
sys::TimePoint first_start(const supervise::JobEnd& end) {
  sys::TimePoint first = sys::TimePoint::max();
  for (const WorkerEnd& worker : end.workers) {
    if (worker.started_at != sys::TimePoint{}) first = std::min(first, worker.started_at);
  }
  return first != sys::TimePoint::max() ? first : end.stop_at.value_or(sys::TimePoint{});
}

/// A program that does not know that it is one of several may run as often as there are workers.
void add_rendezvous(const ConclusionInput& input, std::vector<std::string>& lines) {
  if (!input.attendance.none_came()) return;
  lines.push_back(fmt::format(
      "{} workers, none ever joined the rendezvous: if they are not meant to work together, use "
      "--workers 1",
      input.attendance.workers()));
}

sys::TimePoint last_end(const supervise::JobEnd& end) {
  sys::TimePoint last = first_start(end);
  for (const WorkerEnd& worker : end.workers) last = std::max(last, worker.ended_at);
  return last;
}

}  // namespace

diagnose::HostEnd host_end(const ConclusionInput& input) {
  diagnose::HostEnd end;
  end.host = input.context.job.resources.current_host;
  end.workers = static_cast<int>(input.plan.workers.size());
  end.success = input.end.success();
  end.reason = input.end.reason;
  end.stop_signal = input.end.stop_signal;
  end.store = input.end.store;
  end.oom_kills = input.oom_kills;
  end.started_at = first_start(input.end);
  end.ended_at = last_end(input.end);
  if (input.end.stop_at) end.stop_at = *input.end.stop_at;
  end.stuck = input.end.stuck_after.has_value();
  if (end.success) return end;
  end.evidence.reserve(input.plan.workers.size());
  for (std::size_t index = 0; index < input.plan.workers.size(); ++index)
    end.evidence.push_back(evidence_of(input, index));
  diagnose::attribute_oom_kills(end.evidence, kills_of_workers(input));
  if (input.gpu_watch != nullptr)
    diagnose::attribute_gpu_faults(end.evidence, input.gpu_watch->health().faults());
  return end;
}

Conclusion conclude(const ConclusionInput& input, const diagnose::HostEnd& end,
                    const diagnose::Judgement& judgement) {
  Conclusion conclusion;
  add_checkpoint_time(input, conclusion.lines);
  add_oom_kills(input, conclusion.lines);
  add_gpus(input, conclusion);
  add_oddities(input, conclusion.lines);
  for (std::string& remark : input.relay.remarks()) conclusion.lines.push_back(std::move(remark));
  if (end.success) {
    if (judgement.verdict.success()) add_rendezvous(input, conclusion.lines);
    conclusion.lines.push_back(
        fmt::format("{} ended well after {}",
                    end.workers == 1 ? "the worker" : fmt::format("all {} workers", end.workers),
                    human_seconds(in_seconds(end.ended_at - end.started_at))));
  }
  conclusion.exit_code = judgement.verdict.exit_code;
  conclusion.failure = judgement.verdict.failure;
  const bool has_zero = input.zero != sys::TimePoint{};
  conclusion.evidence =
      evidence_events(end.evidence, judgement.cause, has_zero ? input.zero : end.started_at);
  conclusion.lines.insert(conclusion.lines.end(), judgement.verdict.lines.begin(),
                          judgement.verdict.lines.end());
  for (std::string& line : report::summary_lines(summaries_of(input)))
    conclusion.lines.push_back(std::move(line));
  return conclusion;
}

}  // namespace trainit
