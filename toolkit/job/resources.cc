#include "trainit/resources.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "job/json_fields.h"

namespace trainit {
namespace {

/// Enough to recognise the job by; a large cluster's list would bury the sentence.
std::string some_of(const std::vector<std::string>& hosts) {
  constexpr std::size_t kShown = 8;
  if (hosts.size() <= kShown) return join(hosts, ", ");
  const std::vector<std::string> first(hosts.begin(), hosts.begin() + kShown);
  return fmt::format("{} … {} in all", join(first, ", "), hosts.size());
}

Result<void> check_hosts(const Resources& resources) {
  if (resources.hosts.empty()) return fail("\"hosts\" is an empty list; it has to name each host");
  std::vector<std::string> sorted = resources.hosts;
  std::sort(sorted.begin(), sorted.end());
  if (const auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end()) {
    return fail(
        fmt::format("\"hosts\" names \"{}\" twice; each host has to stand there once", *twice));
  }
  if (!std::binary_search(sorted.begin(), sorted.end(), resources.current_host)) {
    return fail(fmt::format("\"current_host\" is \"{}\", which is not among \"hosts\" ({})",
                            resources.current_host, some_of(resources.hosts)));
  }
  return {};
}

Result<InstanceGroup> read_group(const Json& entry) {
  TRAINIT_TRY(job::members_of("it", entry));
  InstanceGroup group;
  group.name = TRAINIT_TRY(job::required_text(entry, "instance_group_name"));
  group.instance_type = TRAINIT_TRY(job::text_member(entry, "instance_type", ""));
  group.hosts = TRAINIT_TRY(job::required_texts(entry, "hosts"));
  return group;
}

Result<std::vector<InstanceGroup>> read_groups(const Json& file) {
  std::vector<InstanceGroup> groups;
  const Json* entries = file.find("instance_groups");
  if (entries == nullptr || entries->is_null()) return groups;
  if (entries->array() == nullptr) {
    return job::wrong_kind("\"instance_groups\"", *entries, "a list of objects");
  }
  for (const Json& entry : *entries->array()) {
    Result<InstanceGroup> group = read_group(entry);
    if (!group) {
      return fail(fmt::format("\"instance_groups\", item {}", groups.size() + 1), group.error());
    }
    groups.push_back(*std::move(group));
  }
  return groups;
}

}  // namespace

Result<Resources> Resources::from_json(const Json& file) {
  TRAINIT_TRY(job::members_of("the file's value", file));
  Resources resources;
  resources.current_host = TRAINIT_TRY(job::required_text(file, "current_host"));
  resources.hosts = TRAINIT_TRY(job::required_texts(file, "hosts"));
  TRAINIT_TRY(check_hosts(resources));
  const auto text = [&](std::string_view key, std::string& field) -> Result<void> {
    field = TRAINIT_TRY(job::text_member(file, key, field));
    return {};
  };
  TRAINIT_TRY(text("current_instance_type", resources.instance_type));
  TRAINIT_TRY(text("current_group_name", resources.group_name));
  TRAINIT_TRY(text("network_interface_name", resources.network_interface));
  resources.groups = TRAINIT_TRY(read_groups(file));
  if (const Json* topology = file.find("topology"); topology != nullptr && !topology->is_null()) {
    resources.topology = *topology;
  }
  resources.file = file;
  resources.from_platform = true;
  return resources;
}

Resources Resources::single(const std::string& host) {
  Resources resources;
  resources.current_host = host;
  resources.hosts = {host};
  resources.groups = {{resources.group_name, resources.instance_type, resources.hosts}};
  const Json hosts = Json::Array{Json(host)};
  resources.file = Json::Object{
      {"current_group_name", resources.group_name},
      {"current_host", host},
      {"current_instance_type", resources.instance_type},
      {"hosts", hosts},
      {"instance_groups", Json::Array{Json::Object{{"hosts", hosts},
                                                   {"instance_group_name", resources.group_name},
                                                   {"instance_type", resources.instance_type}}}},
      {"network_interface_name", resources.network_interface},
  };
  return resources;
}

}  // namespace trainit
