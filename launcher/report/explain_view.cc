#include "report/explain_view.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "base/utf8.h"
#include "report/failure_view.h"
#include "report/people.h"
#include "report/shared_variables.h"
#include "report/time_line.h"

namespace trainit::report {
namespace {

using Lines = std::vector<std::string>;

constexpr std::size_t kValueBytes = 300;

/// What one call shows of one host.
struct Subject {
  const HostStory& host;
  std::optional<int> rank;

  const RunStory& story() const { return host.story; }
  bool shows(int number) const { return !rank || *rank == number; }
};

std::string value_text(const std::string& value) {
  if (value.size() <= kValueBytes) return visible(value);
  return fmt::format("{}… ({} bytes; --format json has all)",
                     visible(utf8::truncate(value, kValueBytes)), value.size());
}

void title(Lines& lines, std::string text) {
  lines.emplace_back();
  lines.push_back(std::move(text));
}

void add_time_line(const Subject& subject, Lines& lines) {
  title(lines, "time line, from the start of the first worker");
  for (const Moment& moment : time_line(subject.story(), subject.rank))
    lines.push_back(fmt::format("  {:>11}  {}", moment_text(moment.after), moment.text));
}

void add_command(const Subject& subject, Lines& lines) {
  const RunStory& story = subject.story();
  if (story.workers.empty()) return;
  std::map<std::string, std::vector<std::string>> ranks_by_command;
  for (const auto& [rank, worker] : story.workers) {
    if (subject.shows(rank))
      ranks_by_command[command_text(story.argv_of(worker))].push_back(std::to_string(rank));
  }
  title(lines, "command");
  for (const auto& [command, ranks] : ranks_by_command) {
    const bool one = ranks_by_command.size() == 1;
    lines.push_back("  " + (one ? "" : "ranks " + join(ranks, ", ") + ": ") + command);
  }
  lines.push_back("  in " + visible(story.directory));
  for (const auto& [rank, worker] : story.workers) {
    if (subject.shows(rank) && !worker.cpus.empty())
      lines.push_back(fmt::format("  rank {} on cpus {}", rank, worker.cpus));
  }
}

std::string part_text(const EvidenceStory& evidence) {
  switch (evidence.part) {
    case Part::kCause:
      return evidence.kind.empty() ? "the first cause"
                                   : fmt::format("the first cause ({})", evidence.kind);
    case Part::kConsequence:
      return "a consequence";
    case Part::kStopped:
      break;
  }
  return "it was stopped";
}

std::string times_text(const EvidenceStory& evidence) {
  Lines parts;
  if (evidence.error_after) parts.push_back("error at " + moment_text(*evidence.error_after));
  if (evidence.told_after) parts.push_back("told to stop at " + moment_text(*evidence.told_after));
  if (evidence.ended_after) parts.push_back("end at " + moment_text(*evidence.ended_after));
  return join(parts, ", ");
}

void add_evidence_of(const WorkerStory& worker, Lines& lines) {
  const EvidenceStory& evidence = *worker.evidence;
  lines.push_back(fmt::format("  rank {}: {}", worker.rank, part_text(evidence)));
  lines.push_back("    " + visible(evidence.text));
  if (const std::string times = times_text(evidence); !times.empty())
    lines.push_back("    " + times);
  if (!evidence.frame.empty()) lines.push_back("    " + visible(evidence.frame));
  if (trim(evidence.detail).empty()) return;
  for (std::string& line : block_of(evidence.detail, "      | ")) lines.push_back(std::move(line));
}

void add_evidence(const Subject& subject, Lines& lines) {
  std::vector<const WorkerStory*> failed;
  for (const auto& [rank, worker] : subject.story().workers) {
    if (subject.shows(rank) && worker.evidence) failed.push_back(&worker);
  }
  if (failed.empty()) return;
  std::sort(failed.begin(), failed.end(), [](const auto* a, const auto* b) {
    return std::pair(a->evidence->part, a->rank) < std::pair(b->evidence->part, b->rank);
  });
  title(lines, "evidence");
  for (const WorkerStory* worker : failed) add_evidence_of(*worker, lines);
}

void add_variables(const Environment& variables, Lines& lines) {
  std::map<std::string, Lines> by_origin;
  for (const auto& [name, variable] : variables.variables()) {
    by_origin[variable.origin].push_back(
        fmt::format("    {}={}", visible(name), value_text(variable.value)));
  }
  for (auto& [origin, of_origin] : by_origin) {
    lines.push_back("  " + (origin.empty() ? "of unknown origin" : visible(origin)));
    for (std::string& line : of_origin) lines.push_back(std::move(line));
  }
}

/// A line for each variable: its values by rank. A worker that has none has a "–".
Environment side_by_side(const RunStory& story) {
  std::set<std::string> names;
  for (const auto& [rank, worker] : story.workers) {
    for (const auto& [name, variable] : worker.own.variables()) names.insert(name);
  }
  Environment result;
  for (const std::string& name : names) {
    Lines values;
    std::string origin;
    for (const auto& [rank, worker] : story.workers) {
      const auto found = worker.own.variables().find(name);
      const bool there = found != worker.own.variables().end();
      values.push_back(there ? found->second.value : "–");
      if (there) origin = found->second.origin;
    }
    result.set(name, join(values, " | "), origin);
  }
  return result;
}

void add_environment(const Subject& subject, Lines& lines) {
  const RunStory& story = subject.story();
  if (subject.rank) {
    title(lines,
          fmt::format("environment of rank {}, by where each value comes from", *subject.rank));
    return add_variables(story.environment_of(story.workers.at(*subject.rank)), lines);
  }
  if (story.shared.variables().empty()) return;
  title(lines, "environment of every worker, by where each value comes from");
  add_variables(story.shared, lines);
  const Environment own = side_by_side(story);
  if (own.variables().empty()) return;
  title(lines, "what differs from worker to worker, in order of rank");
  add_variables(own, lines);
}

void add_remarks(const RunStory& story, Lines& lines) {
  if (story.earlier_jobs > 0)
    lines.push_back(fmt::format("{} earlier job{} in the same record {} not shown",
                                story.earlier_jobs, story.earlier_jobs == 1 ? "" : "s",
                                story.earlier_jobs == 1 ? "is" : "are"));
  if (!story.bad_lines.empty())
    lines.push_back(fmt::format("{} line{} of the record cannot be read, the first is line {}",
                                story.bad_lines.size(), story.bad_lines.size() == 1 ? "" : "s",
                                story.bad_lines.front()));
  if (story.torn) lines.emplace_back("the record's last line is cut off");
}

void add_host(const Subject& subject, double now, Lines& lines) {
  const RunStory& story = subject.story();
  lines.push_back(headline(subject.host, now));
  const double start = story.events.empty() ? 0 : story.events.front().time;
  lines.push_back(fmt::format("trainit {} began at {}; record {}", visible(story.version),
                              date_text(start), visible(subject.host.path)));
  add_remarks(story, lines);
  add_time_line(subject, lines);
  add_command(subject, lines);
  add_evidence(subject, lines);
  add_environment(subject, lines);
}

Json worker_json(const RunStory& story, const WorkerStory& worker, bool whole) {
  Json::Array argv;
  for (const std::string& word : story.argv_of(worker)) argv.emplace_back(word);
  Json::Object object{{"rank", Json(worker.rank)},
                      {"local_rank", Json(worker.local_rank)},
                      {"argv", Json(std::move(argv))}};
  if (!worker.cpus.empty()) object.push_back({"cpus", Json(worker.cpus)});
  if (!worker.status.empty()) object.push_back({"status", Json(worker.status)});
  if (worker.evidence) object.push_back({"evidence", worker.evidence->json});
  object.push_back(
      {"environment", variables_to_json(whole ? story.environment_of(worker) : worker.own)});
  return Json(std::move(object));
}

Json moments_json(const RunStory& story, std::optional<int> rank) {
  Json::Array moments;
  for (const Moment& moment : time_line(story, rank)) {
    moments.emplace_back(Json::Object{{"after", Json(moment.after)}, {"text", Json(moment.text)}});
  }
  return Json(std::move(moments));
}

Json host_json(const Subject& subject) {
  const RunStory& story = subject.story();
  Json::Array workers;
  for (const auto& [rank, worker] : story.workers) {
    if (subject.shows(rank))
      workers.push_back(worker_json(story, worker, subject.rank.has_value()));
  }
  Json::Object object{{"host", Json(story.host)},
                      {"job", Json(story.job)},
                      {"version", Json(story.version)},
                      {"record", Json(subject.host.path)},
                      {"state", Json(state_name(state_of(subject.host)))},
                      {"directory", Json(story.directory)},
                      {"time_line", moments_json(story, subject.rank)},
                      {"workers", Json(std::move(workers))}};
  if (!subject.rank) object.push_back({"environment", variables_to_json(story.shared)});
  if (story.outcome) {
    object.push_back({"exit_code", Json(story.outcome->exit_code)});
    object.push_back({"failure", Json(story.outcome->failure)});
  }
  return Json(std::move(object));
}

std::vector<Subject> subjects_of(const JobStory& job, std::optional<int> rank) {
  std::vector<Subject> subjects;
  for (const HostStory& host : job.hosts) {
    if (!rank || host.story.workers.contains(*rank)) subjects.push_back({host, rank});
  }
  return subjects;
}

}  // namespace

bool knows_rank(const JobStory& job, int rank) { return !subjects_of(job, rank).empty(); }

std::string ranks_text(const JobStory& job) {
  std::set<int> ranks;
  for (const HostStory& host : job.hosts) {
    for (const auto& [rank, worker] : host.story.workers) ranks.insert(rank);
  }
  if (ranks.empty()) return "no worker";
  if (ranks.size() == 1) return fmt::format("rank {}", *ranks.begin());
  return fmt::format("ranks {}–{}", *ranks.begin(), *ranks.rbegin());
}

std::string explain_view(const JobStory& job, std::optional<int> rank, double now) {
  Lines lines = job.remarks;
  for (const Subject& subject : subjects_of(job, rank)) {
    if (!lines.empty()) lines.emplace_back();
    add_host(subject, now, lines);
  }
  return join(lines, "\n") + "\n";
}

Json explain_json(const JobStory& job, std::optional<int> rank) {
  Json::Array hosts, remarks;
  for (const Subject& subject : subjects_of(job, rank)) hosts.push_back(host_json(subject));
  for (const std::string& remark : job.remarks) remarks.emplace_back(remark);
  return Json(
      Json::Object{{"hosts", Json(std::move(hosts))}, {"remarks", Json(std::move(remarks))}});
}

}  // namespace trainit::report
