#include "environment/named_values.h"

#include <algorithm>

#include "base/python_literal.h"
#include "environment/secrets.h"

namespace trainit::environment {
namespace {

constexpr std::string_view kNameCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
constexpr std::string_view kNeverInNames = " \t\r\n\"'`()[]{},;";
constexpr std::string_view kEndsValue = " \t\r\n\"'`()[]{},;&|";

/// The name that `text` ends with; `name = value` has blanks between.
std::string_view name_at_end(std::string_view text) {
  text = text.substr(0, text.find_last_not_of(' ') + 1);
  return text.substr(text.find_last_not_of(kNameCharacters) + 1);
}

/// The list or object that `text` begins with.
std::string_view structure_in(std::string_view text) {
  const auto literal = python::read_literal(text);
  return text.substr(0, literal ? literal->length : 0);
}

std::string_view quoted_value(std::string_view text) {
  return text.substr(1, text.find(text[0], 1) - 1);
}

bool begins_structure(std::string_view text) {
  return text.starts_with('[') || text.starts_with('{');
}

/// What stands behind the '=' of a name; empty: nothing of interest.
std::string_view value_in(std::string_view name, std::string_view text) {
  const std::string_view trimmed = text.substr(std::min(text.find_first_not_of(' '), text.size()));
  if (begins_structure(trimmed)) return structure_in(trimmed);
  if (secret_kind(name) == SecretKind::kNone) return "";
  if (trimmed.starts_with('\'') || trimmed.starts_with('"')) return quoted_value(trimmed);
  return text.substr(0, text.find_first_of(kEndsValue));
}

/// Whether a program's bare word is the value itself.
bool is_value(std::string_view name, std::string_view word, std::string_view behind) {
  if (word.starts_with('$') || behind.starts_with('(') || behind.starts_with('[')) return false;
  return secret_kind(name) == SecretKind::kPassword || is_secret(SecretKind::kSeveral, word);
}

}  // namespace

Option option_of(std::string_view argument) {
  const std::size_t equals = argument.find('=');
  const std::string_view head = argument.substr(0, equals);
  const std::size_t dashes = std::min(head.find_first_not_of('-'), head.size());
  if (equals == std::string_view::npos) return {dashes > 0 ? head.substr(dashes) : "", "", 0};
  if (head.find_first_of(kNeverInNames) != std::string_view::npos) return {};
  return {head.substr(dashes), argument.substr(equals + 1), equals + 1};
}

std::vector<Assignment> assignments_in(std::string_view text) {
  const bool is_program = option_of(text).value_at == 0;
  std::vector<Assignment> found;
  std::size_t from = 0;
  for (std::size_t at = text.find('='); at != std::string_view::npos; at = text.find('=', from)) {
    const std::string_view name = name_at_end(text.substr(from, at - from));
    const std::string_view behind = text.substr(at + 1);
    const std::string_view value = value_in(name, behind);
    from = at + 1;
    if (value.empty()) continue;
    from = static_cast<std::size_t>(value.data() - text.data()) + value.size();
    const bool is_word = value.data() == behind.data() && !begins_structure(value);
    if (!is_program || !is_word || is_value(name, value, text.substr(from)))
      found.push_back({name, value});
  }
  return found;
}

}  // namespace trainit::environment
