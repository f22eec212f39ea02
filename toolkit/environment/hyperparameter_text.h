#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "environment/host_environment.h"
#include "trainit/json.h"
#include "trainit/result.h"

/// How hyperparameters are written for a script: what variables and arguments have in common.
namespace trainit::environment {

/// The hyperparameters that reach a script under this contract: the user's own; for the v3 drivers
/// the platform's too, which are ordinary ones to them. Never trainit's.
const Json::Object& visible_hyperparameters(const Hyperparameters& hyperparameters,
                                            Contract contract);

/// Nothing when each can be a variable; else one sentence that begins with `place`. The value of a
/// name that looks secret is not shown.
Result<void> check_hyperparameters(const Json::Object& hyperparameters, std::string_view place);

/// A decoded value as the text of a variable, before `process_bytes`: a string as it is, everything
/// else as JSON in the contract's own style; null is empty for the toolkit and "null" for v3.
std::string variable_text(const Json& value, Contract contract);

/// The arguments as Python text, before `process_bytes`.
std::vector<std::string> argument_texts(const Json::Object& hyperparameters, ArgumentStyle style);

/// A name or a value for a message: as JSON, cut after 60 bytes.
std::string quoted(const Json& value);

}  // namespace trainit::environment
