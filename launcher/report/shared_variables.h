#pragma once

#include <span>
#include <vector>

#include "trainit/environment.h"
#include "trainit/json.h"

namespace trainit::report {

/// The environments of several workers, told without repeating what they have in common, so that
/// the record of many workers stays small.
struct SharedVariables {
  Environment shared;            ///< what every worker has, with the same value and origin
  std::vector<Environment> own;  ///< the rest of each, in the order of the workers
};
SharedVariables share_variables(std::span<const Environment* const> workers);

/// `{"NAME": {"value": …, "origin": …}}`, in order of name: as `trainit env --explain` prints it.
Json variables_to_json(const Environment& variables);

/// The way back. What is no such object is left out.
Environment variables_from_json(const Json& json);

}  // namespace trainit::report
