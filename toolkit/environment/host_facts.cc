#include "environment/host_facts.h"

#include <algorithm>

#include "sys/files.h"

namespace trainit::environment {
namespace {

/// Nothing when the file is not there, or says nothing.
Result<std::optional<Json>> read_optional(const std::string& path) {
  if (!sys::exists(path)) return std::nullopt;
  const std::string text = TRAINIT_TRY(sys::read_file(path));
  Result<Json> value = Json::parse(text);
  if (!value) return fail(path, value.error());
  if (!value->truthy()) return std::nullopt;
  return *std::move(value);
}

}  // namespace

Result<DriverFiles> read_driver_files(const Paths& paths) {
  const std::string directory = sys::join_path(paths.input_data, "sm_drivers");
  DriverFiles files;
  files.source_code = TRAINIT_TRY(read_optional(sys::join_path(directory, "sourcecode.json")));
  files.distributed = TRAINIT_TRY(read_optional(sys::join_path(directory, "distributed.json")));
  return files;
}

std::vector<std::string> HostFacts::hosts() const {
  std::vector<std::string> result = job.resources.hosts;
  if (contract == Contract::kV3) std::sort(result.begin(), result.end());
  return result;
}

int HostFacts::host_rank() const {
  if (contract == Contract::kToolkit) return cluster.host_rank;
  const auto sorted = hosts();
  const auto place = std::lower_bound(sorted.begin(), sorted.end(), job.resources.current_host);
  return static_cast<int>(place - sorted.begin());
}

int HostFacts::host_count() const {
  return contract == Contract::kToolkit ? cluster.host_count()
                                        : static_cast<int>(job.resources.hosts.size());
}

Json HostFacts::log_level() const {
  constexpr int kInfo = 20;  // of Python's logging
  if (contract == Contract::kV3) {
    const std::string* level = inherited.find("SM_LOG_LEVEL");
    return level != nullptr ? Json(*level) : Json(kInfo);
  }
  const Json* level = job.hyperparameters.platform("sagemaker_container_log_level");
  return level != nullptr && !level->is_null() ? *level : Json(kInfo);
}

int HostFacts::neuron_cores() const {
  // For this one machine the toolkit goes by the name and does not ask neuron-ls: 16 chips of 8
  // physical cores, which the runtime joins in pairs.
  constexpr int kLogicalCoresOfTrn2 = 64;
  const bool known = job.resources.instance_type.find("trn2.48xlarge") != std::string::npos;
  return known && contract == Contract::kToolkit ? kLogicalCoresOfTrn2 : hardware.neuron_cores;
}

Json HostFacts::channel_directories() const {
  Json::Object result;
  for (const auto& channel : job.channels) result.push_back({channel.name, channel.path});
  return result;
}

std::string HostFacts::module_directory() const {
  return program.source.empty() ? job.paths.code : program.source;
}

std::string HostFacts::module_name() const {
  const std::string& name = program.name;
  if (name.empty()) return "None";  // the toolkit publishes Python's word for nothing
  return name.ends_with(".py") ? name.substr(0, name.size() - 3) : name;
}

std::vector<std::string> HostFacts::group_hosts() const {
  for (const auto& group : job.resources.groups) {
    if (group.name == job.resources.group_name) return group.hosts;
  }
  return {};
}

std::vector<std::string> HostFacts::group_names() const {
  std::vector<std::string> names;
  names.reserve(job.resources.groups.size());
  for (const auto& group : job.resources.groups) names.push_back(group.name);
  return names;
}

Json HostFacts::groups_by_name() const {
  const Json* groups = job.resources.file.find("instance_groups");
  Json::Object result;
  for (std::size_t i = 0; i < job.resources.groups.size(); ++i) {
    const std::string& name = job.resources.groups[i].name;
    std::erase_if(result, [&](const Json::Member& member) { return member.name == name; });
    result.push_back({name, (*groups->array())[i]});
  }
  return result;
}

Json json_list(const std::vector<std::string>& texts) {
  return Json::Array(texts.begin(), texts.end());
}

}  // namespace trainit::environment
