// What the platform wrote: any text is JSON or gives one sentence with a place, JSON that is
// written out and read again is the same, and any set of configuration files becomes a TrainingJob
// that keeps its promises or one error that names the file.
//
// The input is JSON by itself; or it holds files, each under a line "@hyperparameters.json" with
// its name.

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/python_text.h"
#include "base/text.h"
#include "must.h"
#include "trainit/training_job.h"

using namespace trainit;
using fuzz::must;

namespace {

constexpr std::string_view kFiles[] = {"hyperparameters.json", "inputdataconfig.json",
                                       "resourceconfig.json",  "trainingjobconfig.json",
                                       "init-config.json",     "checkpointconfig.json",
                                       "debughookconfig.json", "tensorboardoutputconfig.json",
                                       "profilerconfig.json",  "metric-definition-regex.json"};

// -------------------------------------------------------------------------------------- JSON alone

/// Two lone surrogates that could be a pair, which Python's own `json` makes one character of, too.
bool has_split_pair(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i + 5 < text.size(); ++i) {
    const bool high = byte(i) == 0xED && byte(i + 1) >= 0xA0 && byte(i + 1) < 0xB0;
    if (high && byte(i + 3) == 0xED && byte(i + 4) >= 0xB0) return true;
  }
  return false;
}

/// What equals itself when it has been written and read; NaN equals nothing.
bool survives(const Json& value) {
  if (value.number() != nullptr) return !std::isnan(*value.number());
  if (value.string() != nullptr) return !has_split_pair(*value.string());
  if (value.array() != nullptr) {
    return std::all_of(value.array()->begin(), value.array()->end(), survives);
  }
  if (value.object() == nullptr) return true;
  return std::all_of(value.object()->begin(), value.object()->end(),
                     [](const Json::Member& member) {
                       return !has_split_pair(member.name) && survives(member.value);
                     });
}

void check_dump(const Json& value, JsonStyle style) {
  const std::string written = dump_json(value, style);
  must(fuzz::is_one_line(written) &&
           std::all_of(written.begin(), written.end(), [](char c) { return c >= ' ' && c <= '~'; }),
       "JSON is written in ASCII, on one line");
  const Result<Json> again = Json::parse(written);
  must(again.has_value(), "JSON that was written can be read");
  if (!survives(value)) return;
  must(dump_json(*again, style) == written, "what was read again is written alike");
  must(style != JsonStyle::kPython || *again == value, "what was read again is equal");
}

void check_names(const Json& value) {
  if (value.array() != nullptr) {
    for (const Json& item : *value.array()) check_names(item);
  } else if (value.object() != nullptr) {
    std::set<std::string_view> names;
    for (const auto& [name, member] : *value.object()) {
      must(names.insert(name).second, "the names in an object are unique");
      check_names(member);
    }
  }
}

void check_json(std::string_view text) {
  const Result<Json> value = Json::parse(text);
  if (!value) {
    const std::string& message = value.error().message;
    must(message.starts_with("line ") && message.find(", column ") != std::string::npos,
         "a mistake has a place");
    must(fuzz::is_one_line(message) && fuzz::is_utf8(message) && message.size() < 300,
         "a mistake is one short sentence");
    return;
  }
  check_names(*value);
  check_dump(*value, JsonStyle::kPython);
  check_dump(*value, JsonStyle::kCompactSorted);
  must(!python::repr(*value).empty(), "every value has a text in Python");
}

// ------------------------------------------------------------------------------ the files of a job

/// A base directory that is made once and emptied for each input.
class Job {
 public:
  Job()
      : base_(std::filesystem::temp_directory_path() /
              ("trainit-fuzz-" + std::to_string(::getpid()))),
        config_(base_ / "input/config") {
    std::filesystem::create_directories(config_);
    environment_.set("SAGEMAKER_BASE_DIR", base_.string(), "fuzz");
    environment_.set("TRAINING_JOB_NAME", "job", "fuzz");
  }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() { std::filesystem::remove_all(base_); }

  /// Puts one of the files there, if it is one.
  void write(std::string_view name, std::string_view text) {
    if (std::find(std::begin(kFiles), std::end(kFiles), name) == std::end(kFiles)) return;
    check_json(text);
    std::ofstream(config_ / name, std::ios::binary) << text;
    written_.insert(name);
  }

  Result<TrainingJob> load() {
    Result<TrainingJob> job = TrainingJob::load(environment_);
    for (const std::string_view name : written_) std::filesystem::remove(config_ / name);
    written_.clear();
    return job;
  }

  std::string path() const { return base_.string(); }

 private:
  std::filesystem::path base_, config_;
  Environment environment_;
  std::set<std::string_view> written_;
};

void check_hyperparameters(const Hyperparameters& all) {
  for (const auto& [name, value] : all.user()) {
    must(all.find(name) == &value, "a hyperparameter is found by its name");
    const auto whole = all.integer(name, 0);
    must(!whole || all.number(name, 0).has_value(), "an integer is a number");
    must(!all.boolean(name, false) || all.text(name, "").has_value(), "a truth value has a text");
    must(!name.starts_with("sagemaker_") && !name.starts_with("trainit_"),
         "the user's hyperparameters are not the platform's nor ours");
  }
  for (const auto& [name, value] : all.framework()) {
    must(name.starts_with("sagemaker_") && all.platform(name) != nullptr,
         "what steers frameworks is the platform's");
    all.platform_flag(name);
  }
  for (const auto& [name, value] : all.trainit()) {
    must(name.starts_with("trainit_"), "our options are named so");
  }
  must(all.user().size() + all.framework().size() <= all.all().size(), "none is lost");
}

void check_channels(const TrainingJob& job) {
  for (const Channel& channel : job.channels) {
    must(job.channel(channel.name) == &channel, "a channel's name is its own");
    must(channel.path == job.paths.input_data + "/" + channel.name &&
             channel.name.find('/') == std::string::npos && channel.name != ".." &&
             channel.name != "." && channel.path.find('\0') == std::string::npos,
         "a channel is a directory in the input data");
  }
}

void check_resources(const Resources& resources) {
  const std::set<std::string> hosts(resources.hosts.begin(), resources.hosts.end());
  must(hosts.size() == resources.hosts.size() && hosts.contains(resources.current_host) &&
           !hosts.contains(""),
       "this host stands among the hosts, each of which stands there once");
}

void check_other_files(const TrainingJob& job) {
  must(!job.max_runtime || job.max_runtime->count() >= 1, "a job may run for at least a second");
  must(!job.run_number || *job.run_number >= 1, "runs are counted from one");
  for (const std::string& directory : {job.checkpoint_directory, job.debugger_directory,
                                       job.tensorboard_directory, job.profiler_directory}) {
    must(directory.empty() ||
             (directory.starts_with('/') && directory.find('\0') == std::string::npos),
         "a directory that the platform names is an absolute path");
  }
}

void check_job(Job& directory) {
  const Result<TrainingJob> job = directory.load();
  if (!job) {
    return must(job.error().message.starts_with(directory.path() + "/input/config/"),
                "an error names its file");
  }
  must(job->on_platform, "where a configuration is a platform is");
  check_hyperparameters(job->hyperparameters);
  check_channels(*job);
  check_resources(job->resources);
  check_other_files(*job);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::text_of(data, size);
  if (!input.starts_with('@')) {
    check_json(input);
    return 0;
  }
  static Job job;
  std::size_t begin = 0;
  while (begin != std::string_view::npos) {
    const std::size_t end = input.find("\n@", begin);
    const std::string_view file = input.substr(begin + 1, end - begin - 1);
    const std::size_t line_end = std::min(file.find('\n'), file.size());
    job.write(file.substr(0, line_end), file.substr(std::min(line_end + 1, file.size())));
    begin = end == std::string_view::npos ? end : end + 1;
  }
  check_job(job);
  return 0;
}
