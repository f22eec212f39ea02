#include "trainit/environment.h"

#include <fmt/core.h>
#include <unistd.h>

namespace trainit {

Environment Environment::of_process() {
  Environment result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string_view::npos) continue;  // nothing could name it
    result.set_default(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)),
                       "inherited");
  }
  return result;
}

const std::string* Environment::find(std::string_view name) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? nullptr : &found->second.value;
}

std::string Environment::get_or(std::string_view name, std::string_view otherwise) const {
  const std::string* value = find(name);
  return std::string(value == nullptr || value->empty() ? otherwise : std::string_view(*value));
}

void Environment::set(std::string name, std::string value, std::string origin) {
  // Most are set in order of name, copies above all, and then the last place is the right one.
  variables_.insert_or_assign(variables_.end(), std::move(name),
                              Variable{std::move(value), std::move(origin)});
}

bool Environment::set_default(std::string name, std::string value, std::string origin) {
  return variables_.try_emplace(std::move(name), Variable{std::move(value), std::move(origin)})
      .second;
}

void Environment::erase(std::string_view name) {
  if (const auto found = variables_.find(name); found != variables_.end()) variables_.erase(found);
}

void Environment::merge(const Environment& other) {
  for (const auto& [name, variable] : other.variables_) variables_.insert_or_assign(name, variable);
}

std::vector<std::string> Environment::to_strings() const {
  std::vector<std::string> result;
  result.reserve(variables_.size());
  for (const auto& [name, variable] : variables_) result.push_back(name + "=" + variable.value);
  return result;
}

Result<void> check_variable(std::string_view name, std::string_view value) {
  if (name.empty()) return fail("an environment variable needs a name");
  if (name.find('=') != std::string_view::npos) {
    return fail(
        fmt::format("\"{}\" cannot be the name of an environment variable: it has a '='", name));
  }
  if (name.find('\0') != std::string_view::npos) {
    return fail(fmt::format("\"{}\" cannot be the name of an environment variable: it has a NUL",
                            name.substr(0, name.find('\0'))));
  }
  if (value.find('\0') != std::string_view::npos) {
    return fail(fmt::format("the value of {} has a NUL, which no process can be given", name));
  }
  return {};
}

}  // namespace trainit
