#include "environment/variable_writer.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/python_text.h"
#include "environment/hyperparameter_text.h"
#include "environment/process_text.h"

namespace trainit::environment {
namespace {

/// Whether '-' is all that keeps a shell from having this name.
bool only_dashes_are_unfit(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return is_shell_name(name);
}

}  // namespace

void VariableWriter::text(std::string_view name, std::string_view value, std::string_view origin) {
  if (first_error_) return;
  const auto name_bytes = process_bytes(name);
  const auto value_bytes = process_bytes(value);
  for (const auto* bytes : {&name_bytes, &value_bytes}) {
    if (*bytes) continue;
    first_error_ = Error{fmt::format("{}: {}, which comes from it, {}", origin, quoted(name),
                                     bytes->error().message)};
    return;
  }
  if (name_bytes->size() + value_bytes->size() + sizeof "=" > kMaxVariableBytes) {
    result_.variables.erase(*name_bytes);
    result_.left_out.push_back(*name_bytes);
  } else {
    std::erase(result_.left_out, *name_bytes);
    result_.variables.set(*name_bytes, *value_bytes, std::string(origin));
  }
}

void VariableWriter::toolkit(std::string_view name, const Json& value, std::string_view origin) {
  text(name, variable_text(value, Contract::kToolkit), origin);
}

void VariableWriter::both(std::string_view name, const Json& value, std::string_view origin) {
  text(name, variable_text(value, contract_), origin);
}

void VariableWriter::named(std::string_view prefix, const Named& values, std::string_view origin) {
  Named own;
  for (const auto& [name, value] : values) {
    own.emplace_back(std::string(prefix) + python::upper(name), value);
    text(own.back().first, value, origin);
  }
  shell_spellings(own, origin);
}

void VariableWriter::shell_spellings(const Named& own, std::string_view origin) {
  std::set<std::string> taken;
  for (const auto& [name, value] : own) taken.insert(name);
  const auto add = [&](bool only_dashes) {
    std::set<std::string> added;
    for (const auto& [name, value] : own) {
      const std::string spelling = to_shell_name(name);
      if (taken.contains(spelling) || only_dashes_are_unfit(name) != only_dashes) continue;
      text(spelling, value, fmt::format("{}, as {}", origin, name));
      added.insert(spelling);
    }
    taken.merge(added);
  };
  // The v3 drivers replace dashes, so for them such a spelling is a name's own.
  add(true);
  add(false);
}

Result<HostEnvironment> VariableWriter::finish() && {
  if (first_error_) return tl::unexpected(*std::move(first_error_));
  return std::move(result_);
}

}  // namespace trainit::environment
