#include <algorithm>
#include <array>

#include "base/text.h"
#include "environment/secrets.h"
#include "trainit/json.h"

namespace trainit::environment {
namespace {

using Words = std::vector<std::string>;

/// A number under such a name is a secret, too.
constexpr std::array<std::string_view, 10> kPasswordWords = {
    "secret",     "secrets",    "password",    "passwords", "passwd",
    "passphrase", "credential", "credentials", "creds",     "pwd",
};
constexpr std::array<std::string_view, 7> kKeyWords = {
    "key", "apikey", "token", "private", "auth", "authorization", "bearer",
};
constexpr std::array<std::string_view, 7> kPlaceWords = {
    "file", "path", "dir", "directory", "sock", "socket", "location",
};
constexpr std::array<std::string_view, 9> kSwitchValues = {
    "true", "false", "yes", "no", "on", "off", "none", "null", "nil",
};

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_word_character(char c) { return is_upper(c) || is_lower(c) || (c >= '0' && c <= '9'); }

/// "aB" and the B of "ABc" begin a word.
bool begins_word(std::string_view name, std::size_t at) {
  if (at == 0 || !is_upper(name[at])) return false;
  const bool before_lower = at + 1 < name.size() && is_lower(name[at + 1]);
  return !is_upper(name[at - 1]) || before_lower;
}

Words words_of(std::string_view name) {
  Words words = {""};
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (!is_word_character(name[i]) || begins_word(name, i)) words.emplace_back();
    if (is_word_character(name[i])) words.back() += name[i];
  }
  std::erase(words, "");
  for (std::string& word : words) word = to_lower_ascii(word);
  return words;
}

template <std::size_t size>
bool any_of(const Words& words, const std::array<std::string_view, size>& wanted) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return std::find(wanted.begin(), wanted.end(), word) != wanted.end();
  });
}

bool has_password_word(const Words& words) {
  // PWD alone is the working directory.
  return words != Words{"pwd"} && words != Words{"oldpwd"} && any_of(words, kPasswordWords);
}

bool is_number(std::string_view value) {
  const auto json = Json::parse(value);
  return json && json->to_double().has_value();
}

bool is_place(const Words& words, std::string_view value) {
  return value.starts_with('/') && any_of({words.back()}, kPlaceWords);
}

}  // namespace

bool looks_secret(std::string_view name) {
  const Words words = words_of(name);
  return has_password_word(words) || any_of(words, kKeyWords);
}

bool is_secret(std::string_view name, std::string_view value) {
  if (value.empty() || !looks_secret(name)) return false;
  const Words words = words_of(name);
  if (any_of({to_lower_ascii(trim(value))}, kSwitchValues) || is_place(words, value)) return false;
  return has_password_word(words) || !is_number(value);
}

}  // namespace trainit::environment
