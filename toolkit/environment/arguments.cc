#include <fmt/core.h>

#include "base/python_text.h"
#include "base/text.h"
#include "base/utf8.h"
#include "environment/host_environment.h"
#include "environment/hyperparameter_text.h"
#include "environment/process_text.h"

namespace trainit::environment {
namespace {

std::string toolkit_name(const std::string& name) {
  if (name.empty()) return "";
  const bool one_character = utf8::decode(name).length == name.size();
  return (one_character ? "-" : "--") + name;
}

/// "a=[1],b=2" of an object, in order of the names.
std::string pairs(const Json::Object& members) {
  std::vector<std::string> parts;
  for (const auto* member : members_by_name(members)) {
    parts.push_back(member->name + "=" + python::str(member->value));
  }
  return join(parts, ",");
}

std::string toolkit_value(const Json& value) {
  if (value.is_null()) return "";
  if (const auto* members = value.object()) return pairs(*members);
  return python::str(value);
}

std::vector<std::string> toolkit_arguments(const Json::Object& hyperparameters) {
  std::vector<std::string> result;
  for (const auto* member : members_by_name(hyperparameters)) {
    result.push_back(toolkit_name(member->name));
    result.push_back(toolkit_value(member->value));
  }
  return result;
}

std::vector<std::string> json_arguments(const Json::Object& hyperparameters) {
  std::vector<std::string> result;
  for (const auto& [name, value] : hyperparameters) {
    result.push_back("--" + name);
    result.push_back(variable_text(value, Contract::kV3));
  }
  return result;
}

/// `text` as an argument of a process; `name` is the option's that it belongs to, for the error.
Result<std::string> to_argument(const std::string& text, const std::string& name) {
  const auto bytes = process_bytes(text);
  if (!bytes) {
    return fail(fmt::format("hyperparameters.json: the value of {} {}", quoted(name),
                            bytes.error().message));
  }
  if (bytes->size() + 1 > kMaxVariableBytes) {
    return fail(
        fmt::format("hyperparameters.json: the value of {} is too long for an argument: {} "
                    "bytes, and the kernel's limit is {}; use --args none",
                    quoted(name), bytes->size(), kMaxVariableBytes - 1));
  }
  return *bytes;
}

}  // namespace

std::vector<std::string> argument_texts(const Json::Object& hyperparameters, ArgumentStyle style) {
  switch (style) {
    case ArgumentStyle::kToolkit:
      return toolkit_arguments(hyperparameters);
    case ArgumentStyle::kJson:
      return json_arguments(hyperparameters);
    case ArgumentStyle::kNone:
      break;
  }
  return {};
}

Result<std::vector<std::string>> script_arguments(const Hyperparameters& hyperparameters,
                                                  ArgumentStyle style, Contract contract) {
  const Json::Object& visible = visible_hyperparameters(hyperparameters, contract);
  if (style != ArgumentStyle::kNone)
    TRAINIT_TRY(check_hyperparameters(visible, "hyperparameters.json"));
  const auto texts = argument_texts(visible, style);
  std::vector<std::string> result;
  result.reserve(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    // Each hyperparameter makes two arguments, a name and a value.
    result.push_back(TRAINIT_TRY(to_argument(texts[i], texts[i - i % 2])));
  }
  return result;
}

}  // namespace trainit::environment
