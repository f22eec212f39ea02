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

/// What is not among `shared`, all of which it has.
VariableList rest_of(const Environment& environment, const VariableList& shared) {
  VariableList rest;
  auto next = shared.begin();
  for (const auto& variable : environment.variables()) {
    if (next != shared.end() && (*next)->first == variable.first) {
      ++next;
    } else {
      rest.push_back(&variable);
    }
  }
  return rest;
}

void add_variable(const std::string& name, std::string value, const std::string& origin,
                  Json::Object& members) {
  Json::Object told;  // filled like this because a list in braces is copied
  told.reserve(2);
  told.push_back({"value", Json(std::move(value))});
  told.push_back({"origin", Json(origin)});
  members.push_back({name, Json(std::move(told))});
}

}  // namespace

SharedVariables share_variables(std::span<const Environment* const> workers) {
  SharedVariables result;
  if (workers.empty()) return result;
  for (const auto& variable : workers.front()->variables()) {
    const bool everywhere =
        std::all_of(workers.begin() + 1, workers.end(), [&](const Environment* environment) {
          return has_same(*environment, variable.first, variable.second);
        });
    if (everywhere) result.shared.push_back(&variable);
  }
  for (const Environment* environment : workers)
    result.own.push_back(rest_of(*environment, result.shared));
  return result;
}

Json variables_to_json(const Environment& variables) {
  Json::Object members;
  members.reserve(variables.variables().size());
  for (const auto& [name, variable] : variables.variables())
    add_variable(name, variable.value, variable.origin, members);
  return Json(std::move(members));
}

Json variables_to_json(const VariableList& variables, const ShowValue& shown) {
  Json::Object members;
  members.reserve(variables.size());
  for (const auto* variable : variables) {
    const auto& [name, held] = *variable;
    add_variable(name, shown(name, held.value), held.origin, members);
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
