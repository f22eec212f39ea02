#include "report/failure_view.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "base/utf8.h"
#include "report/people.h"
#include "report/summary.h"

namespace trainit::report {
namespace {

constexpr std::size_t kDetailLines = 14;
constexpr std::size_t kConsequences = 6;

/// From the start of the first worker to the end of the last, or to the last event.
double duration_of(const RunStory& story) {
  double last = story.zero();
  bool all_ended = !story.workers.empty();
  for (const auto& [rank, worker] : story.workers) {
    all_ended = all_ended && worker.ended.has_value();
    last = std::max(last, worker.ended.value_or(last));
  }
  return std::max(0.0, (all_ended ? last : story.last()) - story.zero());
}

std::string workers_now(const RunStory& story) {
  const auto count =
      std::count_if(story.workers.begin(), story.workers.end(),
                    [](const auto& entry) { return entry.second.started && !entry.second.ended; });
  return fmt::format("{} of {} worker{} run{}", count, story.workers.size(),
                     story.workers.size() == 1 ? "" : "s", count == 1 ? "s" : "");
}

std::string failed_text(const RunStory& story) {
  const OutcomeStory& outcome = *story.outcome;
  const std::string code = fmt::format("failed with exit code {}", outcome.exit_code);
  const bool ran = std::any_of(story.workers.begin(), story.workers.end(),
                               [](const auto& entry) { return entry.second.started.has_value(); });
  if (!ran) return code + " before any worker was started";
  const std::string after = " after " + human_seconds(duration_of(story));
  if (outcome.stop_signal.empty()) return code + after;
  return fmt::format("was told to stop with {} and {}{}", outcome.stop_signal, code, after);
}

std::string succeeded_text(const RunStory& story) {
  const std::size_t count = story.workers.size();
  return fmt::format("succeeded: {} ended with 0 after {}",
                     count == 1 ? "its worker" : fmt::format("all {} workers", count),
                     human_seconds(duration_of(story)));
}

std::string state_text(const HostStory& host, double now) {
  const RunStory& story = host.story;
  const std::string after = human_seconds(std::max(0.0, story.last() - story.zero()));
  switch (state_of(host)) {
    case State::kSucceeded:
      return succeeded_text(story);
    case State::kFailed:
      return failed_text(story);
    case State::kRunning:
      return fmt::format("has been running for {}: {}",
                         human_seconds(std::max(0.0, now - story.zero())), workers_now(story));
    case State::kKilled:
      return fmt::format(
          "has no outcome: the record ends after {}, and nobody writes to it any more; trainit was "
          "killed, or its machine was lost",
          after);
    case State::kOpen:
      break;
  }
  return fmt::format(
      "has no outcome: the record ends after {}; either the job still runs, or trainit was killed",
      after);
}

std::string short_end(const WorkerStory& worker, bool running) {
  if (!worker.started) return running ? "not yet" : "never ran";
  if (!worker.ended) return running ? "runs" : "not seen";
  if (worker.code) return std::to_string(*worker.code);
  return worker.signal.empty() ? worker.status : worker.signal;
}

void add_table(const HostStory& host, double now, std::vector<std::string>& lines) {
  const bool running = state_of(host) == State::kRunning;
  const double latest = running ? now : host.story.last();
  std::vector<WorkerSummary> rows;
  for (const auto& [rank, worker] : host.story.workers) {
    WorkerSummary row;
    row.rank = rank;
    row.pid = worker.pid.value_or(0);
    row.ended = visible(short_end(worker, running));
    if (worker.started) {
      const std::chrono::duration<double> after(worker.ended.value_or(latest) - *worker.started);
      row.after = std::chrono::duration_cast<sys::Duration>(after);
    }
    row.max_memory_kib = worker.max_memory_kib;
    rows.push_back(row);
  }
  if (rows.empty()) return;
  lines.emplace_back();
  for (std::string& line : summary_lines(rows)) lines.push_back(std::move(line));
}

void append(std::vector<std::string>& lines, std::vector<std::string> more) {
  for (std::string& line : more) lines.push_back(std::move(line));
}

void add_cause(const Culprit& culprit, std::vector<std::string>& lines) {
  const EvidenceStory& evidence = *culprit.worker->evidence;
  lines.push_back("first cause: " + visible(evidence.text));
  if (!evidence.frame.empty()) lines.push_back("  " + visible(evidence.frame));
  // One line that the sentence holds already tells nothing new.
  if (trim(evidence.detail).empty() || evidence.text.find(evidence.detail) != std::string::npos)
    return;
  lines.emplace_back();
  append(lines, block_of(evidence.detail, "  ", kDetailLines));
}

void add_consequences(const JobStory& job, const Culprit& culprit,
                      std::vector<std::string>& lines) {
  std::vector<std::string> found;
  for (const HostStory& host : job.hosts) {
    for (const auto& [rank, worker] : host.story.workers) {
      if (&worker == culprit.worker || !worker.evidence) continue;
      if (worker.evidence->part == Part::kStopped) continue;
      std::string text = visible(worker.evidence->text);
      const bool said = std::find(lines.begin(), lines.end(), "  " + text) != lines.end();
      if (!said) found.push_back(std::move(text));
    }
  }
  if (found.empty()) return;
  lines.emplace_back();
  const std::size_t shown = found.size() > kConsequences ? kConsequences - 1 : found.size();
  lines.insert(lines.end(), found.begin(), found.begin() + static_cast<std::ptrdiff_t>(shown));
  if (shown < found.size())
    lines.push_back(fmt::format("and {} more consequences", found.size() - shown));
}

/// Where nobody is the cause: a job that was told to stop, or never had a worker.
void add_verdicts(const JobStory& job, std::vector<std::string>& lines) {
  for (const HostStory& host : job.hosts) {
    if (host.story.outcome && !host.story.outcome->failure.empty())
      append(lines, block_of(host.story.outcome->failure, "  ", kDetailLines));
  }
}

bool file_is_the_programs(const JobStory& job) {
  return std::any_of(job.hosts.begin(), job.hosts.end(), [](const HostStory& host) {
    return !host.story.outcome || !host.story.outcome->failure_file_is_ours;
  });
}

/// What there is to say of the failure file; empty: it holds what was said already.
std::string file_title(const JobStory& job) {
  if (job.failure_file.empty()) return {};
  const std::string path = visible(job.failure_file);
  if (job.hosts.empty()) return fmt::format("there is no run record; {} says:", path);
  if (failure_file_is_foreign(job)) {
    return fmt::format(
        "{} says something else, perhaps of a later job that failed before it had a record:", path);
  }
  if (!file_is_the_programs(job)) return {};
  return fmt::format("{}, which the program wrote itself, says:", path);
}

void add_failure_file(const JobStory& job, std::vector<std::string>& lines) {
  const std::string title = file_title(job);
  if (title.empty()) return;
  if (!lines.empty()) lines.emplace_back();
  lines.push_back(title);
  append(lines, block_of(utf8::sanitize(job.failure_text), "  ", kDetailLines));
}

Json worker_json(const HostStory& host, const WorkerStory& worker) {
  Json::Object object{{"host", Json(host.story.host)}, {"rank", Json(worker.rank)}};
  if (worker.pid) object.push_back({"pid", Json(*worker.pid)});
  if (!worker.status.empty()) object.push_back({"status", Json(worker.status)});
  if (worker.code) object.push_back({"code", Json(*worker.code)});
  if (!worker.signal.empty()) object.push_back({"signal", Json(worker.signal)});
  if (worker.ended) object.push_back({"ended_after", Json(host.story.after(*worker.ended))});
  if (worker.max_memory_kib > 0)
    object.push_back({"max_memory_kib", Json(static_cast<std::int64_t>(worker.max_memory_kib))});
  if (worker.evidence) object.push_back({"evidence", worker.evidence->json});
  return Json(std::move(object));
}

Json host_json(const HostStory& host) {
  Json::Object object{{"host", Json(host.story.host)},
                      {"job", Json(host.story.job)},
                      {"record", Json(host.path)},
                      {"state", Json(state_name(state_of(host)))}};
  if (const auto& outcome = host.story.outcome) {
    object.push_back({"exit_code", Json(outcome->exit_code)});
    object.push_back({"failure", Json(outcome->failure)});
    if (!outcome->stop_signal.empty())
      object.push_back({"stop_signal", Json(outcome->stop_signal)});
  }
  return Json(std::move(object));
}

}  // namespace

std::string headline(const HostStory& host, double now) {
  const RunStory& story = host.story;
  const std::string job = story.job.empty() ? "the job " : fmt::format("the job {} ", story.job);
  return visible((story.host.empty() ? "" : story.host + ": ") + job + state_text(host, now));
}

std::string failure_view(const JobStory& job, double now) {
  std::vector<std::string> lines = job.remarks;
  if (job.hosts.empty() && job.failure_file.empty() && job.success_marker)
    lines.emplace_back("the job succeeded, as its marker says; there is no run record");
  for (const HostStory& host : job.hosts) lines.push_back(headline(host, now));
  const Culprit culprit = find_culprit(job);
  if (culprit.worker != nullptr) {
    add_cause(culprit, lines);
  } else {
    add_verdicts(job, lines);
  }
  add_consequences(job, culprit, lines);
  for (const HostStory& host : job.hosts) {
    if (state_of(host) != State::kSucceeded) add_table(host, now, lines);
  }
  add_failure_file(job, lines);
  if (!job.hosts.empty()) {
    lines.emplace_back();
    lines.push_back("the whole story: trainit explain" +
                    (job.place.empty() ? "" : " " + command_text({job.place})));
  }
  return join(lines, "\n") + "\n";
}

Json failure_json(const JobStory& job) {
  Json::Array hosts, workers;
  Json cause;
  const Culprit culprit = find_culprit(job);
  for (const HostStory& host : job.hosts) {
    hosts.push_back(host_json(host));
    for (const auto& [rank, worker] : host.story.workers) {
      workers.push_back(worker_json(host, worker));
      if (&worker == culprit.worker) cause = workers.back();
    }
  }
  Json::Object object{{"hosts", Json(std::move(hosts))},
                      {"cause", std::move(cause)},
                      {"workers", Json(std::move(workers))}};
  if (!job.failure_file.empty()) {
    object.push_back(
        {"failure_file", Json(Json::Object{{"path", Json(job.failure_file)},
                                           {"text", Json(utf8::sanitize(job.failure_text))},
                                           {"foreign", Json(failure_file_is_foreign(job))}})});
  }
  Json::Array remarks;
  for (const std::string& remark : job.remarks) remarks.emplace_back(remark);
  object.push_back({"remarks", Json(std::move(remarks))});
  return Json(std::move(object));
}

}  // namespace trainit::report
