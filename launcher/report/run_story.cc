#include "report/run_story.h"

#include <fmt/core.h>

#include <cmath>

#include "base/json_members.h"
#include "base/text.h"
#include "report/shared_variables.h"

namespace trainit::report {
namespace {

std::optional<int> small_of(const Json& object, std::string_view name) {
  const auto value = integer_of(object, name);
  if (!value || *value < INT32_MIN || *value > INT32_MAX) return std::nullopt;
  return static_cast<int>(*value);
}

std::vector<std::string> texts_of(const Json& object, std::string_view name) {
  std::vector<std::string> texts;
  const Json* member = object.find(name);
  if (member == nullptr || member->array() == nullptr) return texts;
  for (const Json& item : *member->array()) {
    if (item.string() != nullptr) texts.push_back(*item.string());
  }
  return texts;
}

Part part_of(const std::string& name) {
  if (name == "cause") return Part::kCause;
  return name == "consequence" ? Part::kConsequence : Part::kStopped;
}

/// Nothing when the event names no rank.
WorkerStory* worker_of(RunStory& story, const Json& json) {
  const auto rank = small_of(json, "rank");
  if (!rank || *rank < 0) return nullptr;
  WorkerStory& worker = story.workers[*rank];
  worker.rank = *rank;
  return &worker;
}

void read_start(RunStory& story, const Json& json, double) {
  story.version = text_of(json, "version");
  story.host = text_of(json, "host");
  story.job = text_of(json, "job");
  story.locked = flag_of(json, "locked");
}

void read_environment(RunStory& story, const Json& json, double) {
  if (const Json* variables = json.find("variables"))
    story.shared = variables_from_json(*variables);
}

void read_plan(RunStory& story, const Json& json, double) {
  story.directory = text_of(json, "directory");
  story.argv = texts_of(json, "argv");
  const Json* workers = json.find("workers");
  if (workers == nullptr || workers->array() == nullptr) return;
  for (const Json& planned : *workers->array()) {
    WorkerStory* worker = worker_of(story, planned);
    if (worker == nullptr) continue;
    worker->local_rank = small_of(planned, "local_rank").value_or(0);
    worker->argv = texts_of(planned, "argv");
    worker->cpus = text_of(planned, "cpus");
    if (const Json* variables = planned.find("variables"))
      worker->own = variables_from_json(*variables);
  }
}

void read_spawned(RunStory& story, const Json& json, double time) {
  WorkerStory* worker = worker_of(story, json);
  if (worker == nullptr) return;
  worker->pid = small_of(json, "pid");
  worker->started = time;
  if (!story.first_start) story.first_start = time;
}

void read_ended(RunStory& story, const Json& json, double time) {
  WorkerStory* worker = worker_of(story, json);
  if (worker == nullptr) return;
  worker->ended = time;
  worker->status = text_of(json, "status");
  worker->code = small_of(json, "code");
  worker->signal = text_of(json, "signal");
  worker->max_memory_kib = integer_of(json, "max_memory_kib").value_or(0);
}

void read_evidence(RunStory& story, const Json& json, double) {
  WorkerStory* worker = worker_of(story, json);
  if (worker == nullptr) return;
  EvidenceStory evidence;
  evidence.part = part_of(text_of(json, "class"));
  evidence.kind = text_of(json, "kind");
  evidence.text = text_of(json, "text");
  evidence.error = text_of(json, "error");
  evidence.location = text_of(json, "location");
  evidence.frame = text_of(json, "frame");
  evidence.detail = text_of(json, "detail");
  evidence.told_to_stop = flag_of(json, "told_to_stop");
  evidence.told_after = number_of(json, "told_after");
  evidence.error_after = number_of(json, "error_after");
  evidence.ended_after = number_of(json, "ended_after");
  evidence.json = json;
  worker->evidence = std::move(evidence);
}

void read_restart(RunStory& story, const Json& json, double) {
  story.restarts = small_of(json, "round").value_or(story.restarts + 1);
  for (auto& [rank, worker] : story.workers) {
    WorkerStory again;
    again.rank = worker.rank;
    again.local_rank = worker.local_rank;
    again.argv = std::move(worker.argv);
    again.cpus = std::move(worker.cpus);
    again.own = std::move(worker.own);
    worker = std::move(again);
  }
}

void read_outcome(RunStory& story, const Json& json, double) {
  OutcomeStory outcome;
  outcome.success = flag_of(json, "success");
  outcome.exit_code = small_of(json, "exit_code").value_or(0);
  outcome.failure = text_of(json, "failure");
  outcome.stop_signal = text_of(json, "stop_signal");
  if (const Json* file = json.find("failure_file")) {
    outcome.failure_file_bytes = integer_of(*file, "bytes");
    outcome.failure_file_is_ours = text_of(*file, "by") != "program";
  }
  story.outcome = std::move(outcome);
}

struct Row {
  std::string_view name;
  void (*read)(RunStory& story, const Json& json, double time);
};
constexpr Row kEvents[] = {
    {"start", read_start},     {"environment", read_environment},
    {"plan", read_plan},       {"spawned", read_spawned},
    {"ended", read_ended},     {"evidence", read_evidence},
    {"restart", read_restart}, {"outcome", read_outcome},
};

// Errors of one line continue the words "line N".

Result<Json> parse_line(std::string_view line) {
  constexpr std::string_view kOnlyLine = "line 1";
  Result<Json> json = Json::parse(line);
  if (json) return json;
  const std::string& message = json.error().message;
  return fail(message.starts_with(kOnlyLine) ? message.substr(kOnlyLine.size()) : ": " + message);
}

Result<StoryEvent> read_event(std::string_view line) {
  Json json = TRAINIT_TRY(parse_line(line));
  if (json.object() == nullptr)
    return fail(fmt::format(": expected an object, found {}", json.kind_name()));
  std::string name = text_of(json, "event");
  if (name.empty()) return fail(": an object without \"event\"");
  const auto time = number_of(json, "time");
  if (!time) return fail(": an object without \"time\"");
  return StoryEvent{*time, std::move(name), std::move(json)};
}

void add(RunStory& story, StoryEvent event) {
  if (event.name == "start" && !story.events.empty()) {
    const int earlier = story.earlier_jobs + 1;
    story = RunStory();
    story.earlier_jobs = earlier;
  }
  for (const Row& row : kEvents) {
    if (row.name == event.name) row.read(story, event.json, event.time);
  }
  story.events.push_back(std::move(event));
}

}  // namespace

double RunStory::zero() const {
  return first_start.value_or(events.empty() ? 0 : events.front().time);
}

double RunStory::after(double time) const { return std::round((time - zero()) * 1000) / 1000; }

double RunStory::last() const { return events.empty() ? 0 : events.back().time; }

const std::vector<std::string>& RunStory::argv_of(const WorkerStory& worker) const {
  return worker.argv.empty() ? argv : worker.argv;
}

Environment RunStory::environment_of(const WorkerStory& worker) const {
  Environment whole = shared;
  whole.merge(worker.own);
  return whole;
}

Result<RunStory> read_run_story(std::string_view text) {
  RunStory story;
  std::string first_trouble;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++number;
    if (trim(line).empty()) continue;
    Result<StoryEvent> event = read_event(line);
    if (event) {
      add(story, std::move(*event));
    } else if (end == std::string_view::npos && !story.events.empty()) {
      story.torn = true;
    } else {
      if (first_trouble.empty())
        first_trouble = fmt::format("line {}{}", number, event.error().message);
      story.bad_lines.push_back(number);
    }
  }
  if (!story.events.empty()) return story;
  return fail(first_trouble.empty() ? "it is empty" : first_trouble);
}

}  // namespace trainit::report
