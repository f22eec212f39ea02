#include "report/shared_variables.h"

#include <algorithm>

namespace trainit::report {
namespace {

bool has_same(const Environment& environment, const std::string& name,
              const Environment::Variable& variable) {
  const auto found = environment.variables().find(name);
  return found != environment.variables().end() && found->second.value == variable.value &&
         found->second.origin == variable.origin;
}

}  // namespace

SharedVariables share_variables(std::span<const Environment* const> workers) {
  SharedVariables result;
  if (workers.empty()) return result;
  for (const auto& [name, variable] : workers.front()->variables()) {
    const bool everywhere = std::all_of(
        workers.begin() + 1, workers.end(),
        [&](const Environment* environment) { return has_same(*environment, name, variable); });
    if (everywhere) result.shared.set(name, variable.value, variable.origin);
  }
  for (const Environment* environment : workers) {
    Environment& own = result.own.emplace_back();
    for (const auto& [name, variable] : environment->variables()) {
      if (!result.shared.has(name)) own.set(name, variable.value, variable.origin);
    }
  }
  return result;
}

Json variables_to_json(const Environment& variables) {
  Json::Object members;
  members.reserve(variables.variables().size());
  for (const auto& [name, variable] : variables.variables()) {
    Json::Object told;  // filled like this because a list in braces is copied
    told.reserve(2);
    told.push_back({"value", Json(variable.value)});
    told.push_back({"origin", Json(variable.origin)});
    members.push_back({name, Json(std::move(told))});
  }
  return Json(std::move(members));
}

Environment variables_from_json(const Json& json) {
  Environment variables;
  if (json.object() == nullptr) return variables;
  for (const Json::Member& member : *json.object()) {
    const Json* value = member.value.find("value");
    const Json* origin = member.value.find("origin");
    if (value == nullptr || value->string() == nullptr) continue;
    const bool has_origin = origin != nullptr && origin->string() != nullptr;
    variables.set(member.name, *value->string(), has_origin ? *origin->string() : "");
  }
  return variables;
}

}  // namespace trainit::report
