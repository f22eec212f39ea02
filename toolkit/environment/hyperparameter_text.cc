#include "environment/hyperparameter_text.h"

#include <fmt/core.h>

#include "environment/process_text.h"
#include "environment/secrets.h"

namespace trainit::environment {
namespace {

Result<void> check_name(const std::string& name, std::string_view place) {
  if (name.find('=') != std::string::npos) {
    return fail(
        fmt::format("{}: the name {} has a '=', which no environment variable's name can have",
                    place, quoted(name)));
  }
  if (const auto bytes = process_bytes(name); !bytes) {
    return fail(fmt::format("{}: the name {} {}", place, quoted(name), bytes.error().message));
  }
  return {};
}

/// Lists and objects are written as JSON, where every character is escaped that could do harm.
Result<void> check_value(const Json::Member& member, std::string_view place) {
  if (member.value.string() == nullptr) return {};
  const auto bytes = process_bytes(*member.value.string());
  if (bytes) return {};
  if (is_secret(member.name, *member.value.string())) {
    return fail(
        fmt::format("{}: the value of {} {}", place, quoted(member.name), bytes.error().message));
  }
  return fail(fmt::format("{}: the value of {}, {}, {}", place, quoted(member.name),
                          quoted(member.value), bytes.error().message));
}

}  // namespace

const Json::Object& visible_hyperparameters(const Hyperparameters& hyperparameters,
                                            Contract contract) {
  return contract == Contract::kV3 ? hyperparameters.all() : hyperparameters.user();
}

Result<void> check_hyperparameters(const Json::Object& hyperparameters, std::string_view place) {
  for (const auto& member : hyperparameters) {
    TRAINIT_TRY(check_name(member.name, place));
    TRAINIT_TRY(check_value(member, place));
  }
  return {};
}

std::string variable_text(const Json& value, Contract contract) {
  if (value.string() != nullptr) return *value.string();
  if (contract == Contract::kV3) return dump_json(value, JsonStyle::kPython);
  return value.is_null() ? "" : dump_json(value, JsonStyle::kCompactSorted);
}

std::string quoted(const Json& value) {
  constexpr std::size_t kLongest = 60;
  const std::string text = dump_json(value);
  return text.size() <= kLongest ? text : text.substr(0, kLongest - 3) + "...";
}

}  // namespace trainit::environment
