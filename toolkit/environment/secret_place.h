#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

#include "environment/named_values.h"
#include "environment/secrets.h"
#include "environment/structured_text.h"
#include "trainit/json.h"

namespace trainit::environment {

/// Where a value stands: under which name, and below which others.
struct Place {
  /// Of an item of the list in this place, or of a member of the object once it is `named`.
  Place below() const { return {name, promised(), depth + 1}; }
  Place named(std::string_view key) const { return {key, inside, depth}; }
  /// Of an item of a list that stands behind the text `before`, which may be an option without its
  /// value.
  Place behind(std::string_view before) const {
    const Option option = option_of(before);
    const bool expects = option.value_at == 0 && !option.name.empty();
    return expects ? named(option.name) : *this;
  }
  /// Of the list or object that the text in this place holds.
  Place content() const { return {name, inside, depth + 1}; }

  /// What stands below a secret's name is judged as if it had such a name itself; but not every
  /// number below "credentials" is one.
  bool is_secret(std::string_view text) const {
    return environment::is_secret(name, text) ||
           environment::is_secret(std::min(inside, SecretKind::kKey), text);
  }

  /// The list or object that the text in this place holds. Texts in texts in texts come to an end,
  /// because each may be nested deeply itself, and the stack may be small.
  std::optional<StructuredText> structure(std::string_view text) const {
    constexpr int kDeepestText = 20;
    return depth < kDeepestText ? StructuredText::read(text) : std::nullopt;
  }

  /// What is promised of all that stands below this name.
  SecretKind promised() const { return std::max(inside, secret_kind(name)); }

  std::string_view name;
  SecretKind inside = SecretKind::kNone;
  int depth = 0;
};

/// What a list's item is to the one behind it: only a text can be an option.
inline std::string_view text_of(const Json& item) {
  const std::string* text = item.string();
  return text == nullptr ? std::string_view() : *text;
}

}  // namespace trainit::environment
