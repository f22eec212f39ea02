#include "job/other_files.h"

#include <fmt/core.h>

#include <climits>

#include "base/text.h"
#include "base/utf8.h"
#include "job/json_fields.h"
#include "sys/files.h"

namespace trainit::job {
namespace {

/// One of the files, and where complaints about it go.
class OtherFile {
 public:
  OtherFile(const ConfigDirectory& config, std::string_view name, TrainingJob& job)
      : path_(config.path_of(name)), warnings_(job.warnings) {
    Result<std::optional<Json>> read = config.read(name);
    if (!read) {
      warnings_.push_back(read.error().message + "; the file is ignored");
    } else if (*read) {
      value_ = **std::move(read);
    }
  }

  /// What the file holds; null when there is none, or nothing in it (unused ones are `[]`).
  const Json& value() const { return value_; }

  bool has_settings() {
    if (value_.object() == nullptr && value_.truthy()) ignore("its value", value_, "an object");
    return value_.object() != nullptr && value_.truthy();
  }

  /// The object that a member holds; null when there is none.
  const Json* find_object(std::string_view key) {
    const Json* member = value_.find(key);
    if (member == nullptr || member->is_null()) return nullptr;
    if (member->object() == nullptr) {
      ignore(fmt::format("\"{}\"", key), *member, "an object");
      return nullptr;
    }
    return member;
  }

  void ignore(std::string_view what, const Json& found, std::string_view expected) {
    const std::string reason = wrong_kind(what, found, expected).value().message;
    warnings_.push_back(fmt::format("{}: {}; ignored", path_, reason));
  }

 private:
  std::string path_;
  std::vector<std::string>& warnings_;
  Json value_;
};

/// A number of at least 1, also as text: the platform writes the numbers of a request either way.
std::optional<std::int64_t> read_count(OtherFile& file, std::string_view parent,
                                       std::string_view key, std::int64_t largest) {
  const Json* object = file.find_object(parent);
  const Json* value = object == nullptr ? nullptr : object->find(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  const std::optional<std::int64_t> count = value->string() != nullptr
                                                ? parse_number<std::int64_t>(trim(*value->string()))
                                                : value->to_int64();
  if (count && *count >= 1 && *count <= largest) return count;
  file.ignore(fmt::format("\"{}.{}\"", parent, key), *value, "a whole number of at least 1");
  return std::nullopt;
}

void read_job_config(OtherFile file, TrainingJob& job) {
  if (!file.has_settings()) return;
  constexpr std::int64_t kTenYears = 10L * 366 * 24 * 3600;
  if (const auto seconds =
          read_count(file, "StoppingCondition", "MaxRuntimeInSeconds", kTenYears)) {
    job.max_runtime = std::chrono::seconds(*seconds);
  }
  const Json* algorithm = file.find_object("AlgorithmSpecification");
  if (algorithm == nullptr) return;
  for (const std::string_view key : {"ContainerEntrypoint", "ContainerArguments"}) {
    const Json* given = algorithm->find(key);
    if (given != nullptr && given->truthy()) job.container_command_given = true;
  }
}

void read_init_config(OtherFile file, TrainingJob& job) {
  if (!file.has_settings()) return;
  if (const auto number = read_count(file, "jobRunInfo", "jobRunNumber", INT_MAX)) {
    job.run_number = static_cast<int>(*number);
  }
}

/// The directory that a file names as LocalPath, or `otherwise` when the file is there without one.
std::string read_local_path(OtherFile file, const std::string& otherwise) {
  if (!file.has_settings()) return "";
  const Json* path = file.value().find("LocalPath");
  if (path == nullptr || !path->truthy()) return otherwise;
  if (path->string() != nullptr && path->string()->starts_with('/') &&
      path->string()->find('\0') == std::string::npos &&
      utf8::sanitize(*path->string()) == *path->string()) {
    return *path->string();
  }
  file.ignore("\"LocalPath\"", *path, "an absolute path in UTF-8");
  return otherwise;
}

bool profiler_is_on(OtherFile file) {
  if (!file.has_settings()) return false;
  const Json* disabled = file.value().find("DisableProfiler");
  return disabled == nullptr || !is_on(*disabled);
}

/// The form of a non-empty file is not known: takes a regex by itself, or as a request has it.
const Json* regex_of(const Json& item) {
  if (item.string() != nullptr) return &item;
  for (const std::string_view key : {"Regex", "regex"}) {
    const Json* regex = item.find(key);
    if (regex != nullptr && regex->string() != nullptr) return regex;
  }
  return nullptr;
}

std::vector<std::string> read_regexes(OtherFile file) {
  std::vector<std::string> regexes;
  if (!file.value().truthy()) return regexes;
  if (file.value().array() == nullptr) {
    file.ignore("its value", file.value(), "a list");
    return regexes;
  }
  for (const Json& item : *file.value().array()) {
    if (const Json* regex = regex_of(item)) {
      regexes.push_back(*regex->string());
    } else {
      file.ignore("an item", item, "a string, or an object with \"Regex\"");
    }
  }
  return regexes;
}

}  // namespace

void read_other_files(const ConfigDirectory& config, TrainingJob& job) {
  const auto file = [&](std::string_view name) { return OtherFile(config, name, job); };
  const auto below = [](const std::string& directory, std::string_view name) {
    return sys::join_path(directory, name);
  };
  const Paths& paths = job.paths;
  read_job_config(file("trainingjobconfig.json"), job);
  read_init_config(file("init-config.json"), job);
  job.checkpoint_directory =
      read_local_path(file("checkpointconfig.json"), below(paths.base, "checkpoints"));
  job.debugger_directory =
      read_local_path(file("debughookconfig.json"), below(paths.output, "tensors"));
  job.tensorboard_directory =
      read_local_path(file("tensorboardoutputconfig.json"), below(paths.output, "tensorboard"));
  if (profiler_is_on(file("profilerconfig.json"))) {
    job.profiler_directory = below(paths.output, "profiler");
  }
  job.metric_regexes = read_regexes(file("metric-definition-regex.json"));
}

}  // namespace trainit::job
