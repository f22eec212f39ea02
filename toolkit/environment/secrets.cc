#include "environment/secrets.h"

#include <algorithm>
#include <set>

#include "base/python_text.h"

namespace trainit::environment {
namespace {

constexpr std::string_view kMask = "***";
/// Shorter values stand in too many innocent texts.
constexpr std::size_t kShortestInText = 4;

std::string without_quotes(const std::string& quoted) {
  return quoted.substr(1, quoted.size() - 2);
}

/// As inside a JSON string whose writer leaves characters beyond ASCII as they are.
std::string json_escape_ascii_only(const std::string& text) {
  std::string result;
  for (const char character : text) {
    const bool ascii = static_cast<unsigned char>(character) < 0x80;
    result +=
        ascii ? without_quotes(dump_json(std::string(1, character))) : std::string(1, character);
  }
  return result;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
}

/// The value as itself, in Python's quotes, and in a shell's.
std::set<std::string> plain_forms(std::string_view value) {
  std::string in_shell(value);
  replace_all(in_shell, "'", "'\\''");
  return {std::string(value), without_quotes(python::repr(Json(value))), in_shell};
}

std::set<std::string> all_forms(std::string_view value) {
  // SM_TRAINING_ENV is an object that holds others, and a log line in JSON holds it once more.
  constexpr int kNested = 3;
  std::set<std::string> forms = plain_forms(value);
  for (int depth = 0; depth < kNested; ++depth) {
    const std::set<std::string> outer = forms;
    for (const std::string& form : outer) {
      forms.insert(without_quotes(dump_json(form)));
      forms.insert(json_escape_ascii_only(form));
    }
  }
  return forms;
}

/// An argument that says how the next one, or its own rest, is called.
struct Option {
  std::string_view name;  ///< without dashes; empty: it is no option
  std::string_view value;
  std::size_t value_at =
      0;  ///< of "--name=value" and "name=value"; 0: the value is the next argument
};

Option option_of(std::string_view argument) {
  const std::size_t equals = argument.find('=');
  const std::string_view head = argument.substr(0, equals);
  const std::size_t dashes = std::min(head.find_first_not_of('-'), head.size());
  if (equals == std::string_view::npos) return {dashes > 0 ? head.substr(dashes) : "", "", 0};
  return {head.substr(dashes), argument.substr(equals + 1), equals + 1};
}

}  // namespace

Secrets Secrets::collect(const Environment& environment, const Hyperparameters& hyperparameters,
                         const std::vector<std::string>& arguments) {
  Secrets secrets;
  for (const auto& [name, variable] : environment.variables()) {
    secrets.add_named(name, variable.value);
  }
  secrets.add_members(hyperparameters.all(), false);
  secrets.add_members(hyperparameters.trainit(), false);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Option option = option_of(arguments[i]);
    const bool has_next = i + 1 < arguments.size();
    const std::string_view next = has_next ? std::string_view(arguments[i + 1]) : "";
    secrets.add_named(option.name, option.value_at > 0 ? option.value : next);
  }
  secrets.sort();
  return secrets;
}

void Secrets::add_named(std::string_view name, std::string_view value) {
  if (is_secret(name, value)) add(value);
  if (!value.starts_with('{') && !value.starts_with('[')) return;
  if (const auto json = Json::parse(value)) add_json(name, *json, false);
}

void Secrets::add_json(std::string_view name, const Json& value, bool inside_secret) {
  const bool secret = inside_secret || looks_secret(name);
  if (const auto* members = value.object()) return add_members(*members, secret);
  if (const auto* items = value.array()) {
    for (const Json& item : *items) add_json(name, item, secret);
    return;
  }
  const std::string text = python::str(value);
  // What stands below a secret's name is judged as if it had a secret's name itself.
  if (is_secret(name, text) || (inside_secret && is_secret("token", text))) add(text);
}

void Secrets::add_members(const Json::Object& members, bool inside_secret) {
  for (const auto& [name, value] : members) add_json(name, value, inside_secret);
}

void Secrets::add(std::string_view value) {
  if (value.size() < kShortestInText) return;
  const auto forms = all_forms(value);
  values_.insert(values_.end(), forms.begin(), forms.end());
}

void Secrets::sort() {
  std::sort(values_.begin(), values_.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  values_.erase(std::unique(values_.begin(), values_.end()), values_.end());
}

std::string Secrets::mask(std::string_view text) const {
  std::string result(text);
  for (const std::string& value : values_) replace_all(result, value, kMask);
  return result;
}

std::string Secrets::mask_variable(std::string_view name, std::string_view value) const {
  return is_secret(name, value) ? std::string(kMask) : mask(value);
}

std::vector<std::string> Secrets::mask_arguments(const std::vector<std::string>& arguments) const {
  std::vector<std::string> result;
  std::string_view expecting;  // the option that the next argument is the value of
  for (const std::string& argument : arguments) {
    const Option option = option_of(argument);
    if (is_secret(expecting, argument)) {
      result.emplace_back(kMask);
    } else if (option.value_at > 0 && is_secret(option.name, option.value)) {
      result.push_back(argument.substr(0, option.value_at) + std::string(kMask));
    } else {
      result.push_back(mask(argument));
    }
    expecting = option.value_at > 0 ? "" : option.name;
  }
  return result;
}

Environment mask_environment(const Environment& environment, const Secrets& secrets) {
  Environment result;
  for (const auto& [name, variable] : environment.variables()) {
    result.set(name, secrets.mask_variable(name, variable.value), variable.origin);
  }
  return result;
}

}  // namespace trainit::environment
