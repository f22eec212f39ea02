#include "report/time_line.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/json_members.h"
#include "base/text.h"
#include "report/people.h"

namespace trainit::report {
namespace {

std::string began(const Json& json) {
  return fmt::format("trainit {} began", text_of(json, "version"));
}

std::string of_rank(const Json& json, std::string_view what) {
  return fmt::format("rank {} {}", integer_of(json, "rank").value_or(-1), what);
}

std::string spawned(const Json& json) {
  return of_rank(json,
                 fmt::format("was started as process {}", integer_of(json, "pid").value_or(0)));
}

std::string ended(const Json& json) { return of_rank(json, text_of(json, "status")); }

std::string signal_came(const Json& json) {
  const std::string name = text_of(json, "signal");
  if (const std::string to = text_of(json, "to"); !to.empty())
    return fmt::format("{} came and was passed on to the {}", name, to);
  const auto sender = integer_of(json, "sender").value_or(0);
  return sender > 0 ? fmt::format("{} came from process {}", name, sender) : name + " came";
}

std::string stop_step(const Json& json) {
  const std::string to = text_of(json, "to");
  const std::string name = text_of(json, "signal");
  if (to == "groups") return name + " was sent to the workers' process groups";
  if (to != "tree") return fmt::format("{} was sent to the {}", name, to);
  const auto count = integer_of(json, "processes").value_or(0);
  return fmt::format("{} was sent to what was left: {} process{}", name, count,
                     count == 1 ? "" : "es");
}

std::string checkpoint(const Json& json) {
  const auto seconds = [&](std::string_view name) {
    const Json* member = json.find(name);
    return human_seconds(member == nullptr ? 0 : member->to_double().value_or(0));
  };
  return fmt::format("the workers had taken {} of {} to end", seconds("seconds"), seconds("of"));
}

std::string rendezvous(const Json& json) {
  const auto joined = integer_of(json, "joined").value_or(0);
  const auto workers = integer_of(json, "workers").value_or(0);
  if (joined == workers)
    return fmt::format("all {} workers had reached init_process_group", joined);
  std::vector<int> ranks;
  const Json* missing = json.find("missing");
  if (missing != nullptr && missing->array() != nullptr) {
    for (const Json& rank : *missing->array())
      ranks.push_back(static_cast<int>(rank.to_int64().value_or(0)));
  }
  return fmt::format("{} of {} workers had reached init_process_group{}", joined, workers,
                     ranks.empty() || joined == 0 ? "" : ", but not " + name_ranks(ranks));
}

std::string store(const Json& json) { return "the rendezvous store " + text_of(json, "status"); }

/// "the preflight found 1 error and 2 warnings"
std::string preflight(const Json& json) {
  std::size_t errors = 0, warnings = 0;
  const Json* findings = json.find("findings");
  if (findings != nullptr && findings->array() != nullptr) {
    for (const Json& finding : *findings->array()) {
      errors += text_of(finding, "severity") == "error" ? 1 : 0;
      warnings += text_of(finding, "severity") == "warning" ? 1 : 0;
    }
  }
  return fmt::format("the preflight found {} error{} and {} warning{}", errors,
                     errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
}

/// "3 hosts were there, after 2.1 s"
std::string hosts(const Json& json) {
  const Json* waited = json.find("waited");
  return fmt::format("{} hosts were there, after {}", integer_of(json, "hosts").value_or(0),
                     human_seconds(waited == nullptr ? 0 : waited->to_double().value_or(0)));
}

/// "algo-2 stopped all hosts: rank 5 (pid 32) ended with code 1 after 48 s"
std::string hosts_stop(const Json& json) {
  const std::string host = text_of(json, "host"), text = text_of(json, "text");
  const std::string signal = text_of(json, "signal");
  if (text_of(json, "reason") == "host lost") return fmt::format("{} was lost: {}", host, text);
  if (!signal.empty()) return fmt::format("{} was asked to stop with {}", host, signal);
  return fmt::format("{} stopped all hosts: {}", host, text);
}

/// "restart 1 of 3 after: rank 5 on algo-2 ended with code 1"
std::string restart(const Json& json) {
  const std::string failure = text_of(json, "failure");
  return fmt::format("restart {} of {} after: {}", integer_of(json, "round").value_or(0),
                     integer_of(json, "of").value_or(0), failure.substr(0, failure.find('\n')));
}

std::string xid(const Json& json) { return text_of(json, "text"); }

std::string gpu_lost(const Json& json) {
  return fmt::format("GPU {} cannot be reached any more", integer_of(json, "gpu").value_or(0));
}

std::string outcome(const Json& json) {
  const Json* success = json.find("success");
  const bool well = success != nullptr && success->boolean() != nullptr && *success->boolean();
  return fmt::format("the job {}, exit code {}", well ? "succeeded" : "failed",
                     integer_of(json, "exit_code").value_or(0));
}

/// What a later version wrote.
std::string any_event(const Json& json) {
  std::string text = text_of(json, "event");
  const char* separator = ": ";
  for (const Json::Member& member : *json.object()) {
    if (member.name == "event" || member.name == "time") continue;
    const std::string* plain = member.value.string();
    text += fmt::format("{}{}={}", separator, member.name,
                        plain != nullptr ? *plain : dump_json(member.value, JsonStyle::kPython));
    separator = " ";
  }
  return text;
}

struct Row {
  std::string_view event;
  std::string (*tell)(const Json& json);  ///< null: it is told elsewhere
};
constexpr Row kRows[] = {
    {"start", began},           {"check", preflight},       {"environment", nullptr},
    {"plan", nullptr},          {"spawned", spawned},       {"signal", signal_came},
    {"stop", stop_step},        {"ended", ended},           {"evidence", nullptr},
    {"checkpoint", checkpoint}, {"rendezvous", rendezvous}, {"store", store},
    {"outcome", outcome},       {"gpu", nullptr},           {"xid", xid},
    {"gpu_lost", gpu_lost},     {"hosts", hosts},           {"hosts_stop", hosts_stop},
    {"ledger", nullptr},        {"restart", restart}};

std::string tell(const StoryEvent& event) {
  for (const Row& row : kRows) {
    if (row.event == event.name) return row.tell == nullptr ? "" : row.tell(event.json);
  }
  return any_event(event.json);
}

bool concerns(const StoryEvent& event, std::optional<int> rank) {
  const auto whose = integer_of(event.json, "rank");
  return !rank || !whose || *whose == *rank;
}

struct Entry {
  Moment moment;
  std::optional<int> ended_rank;  ///< whose end this is
};

/// When the worker printed its error, seconds from the story's zero. The evidence has it by another
/// clock than the events, so it is counted back from the worker's end, which both know.
double error_moment(const RunStory& story, const WorkerStory& worker) {
  const EvidenceStory& evidence = *worker.evidence;
  if (!worker.ended || !evidence.ended_after) return *evidence.error_after;
  return story.after(*worker.ended) - (*evidence.ended_after - *evidence.error_after);
}

void insert_error(const WorkerStory& worker, double after, std::vector<Entry>& entries) {
  const auto place = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
    return entry.ended_rank == worker.rank || entry.moment.after > after;
  });
  const std::string text = fmt::format("rank {} printed {}", worker.rank, worker.evidence->error);
  entries.insert(place, Entry{{after, text}, std::nullopt});
}

}  // namespace

std::vector<Moment> time_line(const RunStory& story, std::optional<int> rank) {
  std::vector<Entry> entries;
  for (const StoryEvent& event : story.events) {
    std::string text = concerns(event, rank) ? tell(event) : "";
    if (text.empty()) continue;
    Entry entry{{story.after(event.time), std::move(text)}, std::nullopt};
    if (event.name == "restart") {  // what is known of errors is of the last round
      for (Entry& earlier : entries) earlier.ended_rank.reset();
    }
    if (event.name == "ended")
      entry.ended_rank = static_cast<int>(integer_of(event.json, "rank").value_or(-1));
    entries.push_back(std::move(entry));
  }
  for (const auto& [number, worker] : story.workers) {
    const bool shown = (!rank || number == *rank) && worker.evidence &&
                       worker.evidence->error_after && !worker.evidence->error.empty();
    if (shown) insert_error(worker, error_moment(story, worker), entries);
  }
  std::vector<Moment> moments;
  moments.reserve(entries.size());
  for (const Entry& entry : entries)
    moments.push_back({entry.moment.after, visible(entry.moment.text)});
  return moments;
}

}  // namespace trainit::report
