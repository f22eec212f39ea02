#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainit/environment.h"
#include "trainit/json.h"

namespace trainit::report {

/// Variables of environments that outlive the list, in order of name.
using VariableList = std::vector<const Environment::Map::value_type*>;

/// The environments of several workers, told without repeating what they have in common, so that
/// the record of many workers stays small.
struct SharedVariables {
  VariableList shared;            ///< what every worker has, with the same value and origin
  std::vector<VariableList> own;  ///< the rest of each, in the order of the workers
};
SharedVariables share_variables(std::span<const Environment* const> workers);

/// `{"NAME": {"value": …, "origin": …}}`, in order of name: as `trainit env --explain` prints it.
Json variables_to_json(const Environment& variables);
/// The same, with what `shown` makes of each value.
using ShowValue = std::function<std::string(std::string_view name, std::string_view value)>;
Json variables_to_json(const VariableList& variables, const ShowValue& shown);

/// The way back. What is no such object is left out.
Environment variables_from_json(const Json& json);

}  // namespace trainit::report
