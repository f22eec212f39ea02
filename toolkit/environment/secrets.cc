#include "environment/secrets.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/python_text.h"
#include "base/text.h"

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

/// What stands below a secret's name is judged as if it had such a name itself; but not every
/// number below "credentials" is one.
bool is_secret_leaf(std::string_view name, std::string_view text, SecretKind inside) {
  return is_secret(name, text) || is_secret(std::min(inside, SecretKind::kKey), text);
}

/// What is promised of all that stands below `name`, which stands itself below such a name.
SecretKind kind_within(std::string_view name, SecretKind inside) {
  return std::max(inside, secret_kind(name));
}

bool is_json_container(std::string_view text) {
  return text.starts_with('{') || text.starts_with('[');
}

/// The items, when all of them are strings.
std::optional<std::vector<std::string>> texts_of(const Json::Array& items) {
  std::vector<std::string> texts;
  for (const Json& item : items) {
    if (item.string() == nullptr) return std::nullopt;
    texts.push_back(*item.string());
  }
  return texts;
}

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
  secrets.add_members(hyperparameters.all(), SecretKind::kNone);
  secrets.add_members(hyperparameters.trainit(), SecretKind::kNone);
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
  if (!is_json_container(value)) return;
  if (const auto json = Json::parse(value)) add_json(name, *json, SecretKind::kNone);
}

void Secrets::add_json(std::string_view name, const Json& value, SecretKind inside) {
  if (const auto* members = value.object()) return add_members(*members, kind_within(name, inside));
  if (const auto* items = value.array()) {
    const SecretKind secret = kind_within(name, inside);
    for (const Json& item : *items) add_json(name, item, secret);
    return;
  }
  const std::string text = python::str(value);
  if (is_secret_leaf(name, text, inside)) add(text);
}

void Secrets::add_members(const Json::Object& members, SecretKind inside) {
  for (const auto& [name, value] : members) add_json(name, value, inside);
}

void Secrets::add(std::string_view value) {
  if (value.size() < kShortestInText) return;
  any_ = true;
  for (const std::string& form : all_forms(value)) {
    values_[static_cast<unsigned char>(form[0])].push_back(form);
  }
}

void Secrets::sort() {
  for (std::vector<std::string>& values : values_) {
    std::sort(values.begin(), values.end(), [](const std::string& a, const std::string& b) {
      return a.size() != b.size() ? a.size() > b.size() : a < b;
    });
    values.erase(std::unique(values.begin(), values.end()), values.end());
  }
}

/// The length of the longest secret that `text` begins with; 0: with none.
std::size_t Secrets::length_at(std::string_view text) const {
  for (const std::string& value : values_[static_cast<unsigned char>(text[0])]) {
    if (text.starts_with(value)) return value.size();
  }
  return 0;
}

/// The same, with what overlaps it.
std::size_t Secrets::run_length_at(std::string_view text) const {
  std::size_t end = length_at(text);
  for (std::size_t at = 1; at < end; ++at) end = std::max(end, at + length_at(text.substr(at)));
  return end;
}

MaskedText Secrets::apply(std::string_view text) const {
  MaskedText masked;
  std::size_t copied = 0;
  for (std::size_t at = any_ ? 0 : text.size(); at < text.size();) {
    const std::size_t length = begins_any(text[at]) ? run_length_at(text.substr(at)) : 0;
    if (length > 0) {
      masked.text += text.substr(copied, at - copied);
      masked.cuts.push_back({at, length, masked.text.size()});
      masked.text += kMask;
      copied = at + length;
    }
    at += std::max<std::size_t>(length, 1);
  }
  masked.text += text.substr(copied);
  return masked;
}

std::size_t MaskedText::original_offset(std::size_t offset) const {
  std::size_t original = offset;
  for (const Cut& cut : cuts) {
    if (offset < cut.masked_at) break;
    if (offset < cut.masked_at + kMask.size()) return cut.original_at;
    original = offset - (cut.masked_at + kMask.size()) + cut.original_at + cut.original_length;
  }
  return original;
}

std::string Secrets::mask_variable(std::string_view name, std::string_view value) const {
  if (is_secret(name, value)) return std::string(kMask);
  std::string text = mask(value);
  if (!is_json_container(text)) return text;
  const auto json = Json::parse(text);
  if (!json) return text;
  // What holds no short secret keeps its form.
  const Json shown = mask_json(name, *json);
  if (shown == *json) return text;
  return dump_json(shown,
                   dump_json(*json) == text ? JsonStyle::kCompactSorted : JsonStyle::kPython);
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
      result.push_back(mask_pairs(argument));
    }
    expecting = option.value_at > 0 ? "" : option.name;
  }
  return result;
}

/// Of "user=bob,password=x", as the toolkit writes an object, each pair by its own name.
std::string Secrets::mask_pairs(std::string_view argument) const {
  const std::string text = mask(argument);
  std::vector<std::string> shown;
  for (const std::string_view pair : split(text, ',')) {
    const Option option = option_of(pair);
    const bool secret = option.value_at > 0 && is_secret(option.name, option.value);
    shown.push_back(secret ? std::string(pair.substr(0, option.value_at)) + std::string(kMask)
                           : std::string(pair));
  }
  return join(shown, ",");
}

Json Secrets::mask_json(std::string_view name, const Json& value) const {
  return mask_below(name, value, SecretKind::kNone);
}

Json Secrets::mask_below(std::string_view name, const Json& value, SecretKind inside) const {
  if (const auto* members = value.object()) {
    const SecretKind secret = kind_within(name, inside);
    Json::Object shown;
    shown.reserve(members->size());
    for (const auto& [key, inner] : *members)
      shown.push_back({key, mask_below(key, inner, secret)});
    return shown;
  }
  if (const auto* items = value.array()) return mask_items(name, *items, kind_within(name, inside));
  const std::string text = python::str(value);
  if (is_secret_leaf(name, text, inside)) return kMask;
  const std::string masked = mask(text);
  return masked == text ? value : Json(masked);
}

/// A list of texts may be one of arguments.
Json Secrets::mask_items(std::string_view name, const Json::Array& items, SecretKind inside) const {
  Json::Array shown;
  const auto texts = inside != SecretKind::kNone ? std::nullopt : texts_of(items);
  if (texts) {
    for (std::string& text : mask_arguments(*texts)) shown.emplace_back(std::move(text));
  } else {
    for (const Json& item : items) shown.push_back(mask_below(name, item, inside));
  }
  return shown;
}

Environment mask_environment(const Environment& environment, const Secrets& secrets) {
  Environment result;
  for (const auto& [name, variable] : environment.variables()) {
    result.set(name, secrets.mask_variable(name, variable.value), variable.origin);
  }
  return result;
}

}  // namespace trainit::environment
