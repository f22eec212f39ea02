#include "record_places.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "sys/files.h"

namespace trainit {
namespace {

constexpr int kNothingFound = 1;
constexpr std::string_view kEnding = ".jsonl";

struct Places {
  std::vector<std::string> records;
  std::vector<std::string> looked;  ///< for the sentence that nothing was found
  std::string failure, success;     ///< where the markers would be; empty: not known
};

std::string last_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::vector<std::string> records_in(const std::string& directory) {
  std::vector<std::string> records;
  const auto names = sys::list_directory(directory);
  if (!names) return records;
  for (const std::string& name : *names) {
    if (name.ends_with(kEnding)) records.push_back(sys::join_path(directory, name));
  }
  return records;
}

void set_output(const std::string& output, Places& places) {
  places.failure = sys::join_path(output, "failure");
  places.success = sys::join_path(output, "success");
}

/// Looks where a record may be below each of these: a base, an output, a data directory, or the
/// directory of records itself.
Places places_below(const std::string& directory) {
  Places places;
  const bool is_output = !sys::is_directory(sys::join_path(directory, "output"));
  set_output(is_output ? directory : sys::join_path(directory, "output"), places);
  for (const char* below : {"output/data/trainit", "data/trainit", "trainit", ""}) {
    const std::string candidate = *below == '\0' ? directory : sys::join_path(directory, below);
    places.looked.push_back(candidate);
    places.records = records_in(candidate);
    if (!places.records.empty()) break;
  }
  return places;
}

Places places_of_record(const std::string& record) {
  Places places;
  places.records = {record};
  const std::string data = sys::parent_directory(sys::parent_directory(record));
  if (last_name(sys::parent_directory(record)) == "trainit" && last_name(data) == "data")
    set_output(sys::parent_directory(data), places);
  return places;
}

/// Of the job that this process's environment means: with the options that it has or had.
Places default_places(const CommandLine& line, const Environment& environment, Logger& log) {
  const Result<JobContext> context = read_context(line, environment, log);
  const Paths paths = Paths::from(environment);
  Places places = places_below(paths.base);
  set_output(paths.output, places);
  if (!context || context->options.record.empty()) return places;
  const std::string chosen = record_path(*context);
  places.looked = {chosen.empty() ? "nowhere, because of --record none" : chosen};
  places.records.clear();
  if (!chosen.empty() && sys::exists(chosen)) places.records = {chosen};
  return places;
}

Places places_of(const CommandLine& line, const Environment& environment, Logger& log) {
  if (line.place.empty()) return default_places(line, environment, log);
  return sys::is_directory(line.place) ? places_below(line.place) : places_of_record(line.place);
}

Result<report::HostStory> read_record(const std::string& path) {
  // Who writes is looked at first: a job that ends in between has its outcome in the text then.
  const report::Writer writer = report::writer_of(path);
  const Result<std::string> text = sys::read_file(path);
  if (!text) return fail(text.error().message, kNothingFound);
  Result<report::RunStory> story = report::read_run_story(*text);
  if (!story)
    return fail(fmt::format("{} is no run record: {}", path, story.error().message), kNothingFound);
  return report::HostStory{path, std::move(*story), writer};
}

Error nothing_found(const Places& places) {
  std::string text =
      fmt::format("there is no run record (looked in {})", join(places.looked, ", "));
  if (!places.failure.empty()) text += fmt::format(" and no {}", places.failure);
  return {text, kNothingFound};
}

}  // namespace

std::string record_path(const JobContext& context) {
  const std::string& chosen = context.options.record;
  if (chosen == "none") return {};
  if (!chosen.empty()) return chosen;
  // A host's name is what a file says.
  std::string name = context.job.resources.current_host;
  std::replace(name.begin(), name.end(), '/', '_');
  return fmt::format("{}/trainit/{}.jsonl", context.job.paths.output_data, name);
}

bool is_recorded_now(const JobContext& context) {
  const std::string record = record_path(context);
  return !record.empty() && report::writer_of(record) == report::Writer::kAlive;
}

bool job_runs(const Environment& environment) {
  Logger silent;
  const Result<JobContext> context = read_context(CommandLine(), environment, silent);
  return context && is_recorded_now(*context);
}

Result<report::JobStory> read_job_story(const CommandLine& line, const Environment& environment,
                                        Logger& log) {
  const Places places = places_of(line, environment, log);
  report::JobStory job;
  job.place = line.place;
  for (const std::string& path : places.records) {
    Result<report::HostStory> host = read_record(path);
    if (host) {
      job.hosts.push_back(std::move(*host));
    } else if (places.records.size() == 1) {
      return tl::unexpected(host.error());
    } else {
      job.remarks.push_back(host.error().message);
    }
  }
  if (const auto text = sys::read_file(places.failure); text && !places.failure.empty()) {
    job.failure_file = places.failure;
    job.failure_text = *text;
  }
  job.success_marker = !places.success.empty() && sys::exists(places.success);
  report::keep_last_job(job);
  if (job.hosts.empty() && job.failure_file.empty() && !job.success_marker)
    return tl::unexpected(nothing_found(places));
  return job;
}

}  // namespace trainit
