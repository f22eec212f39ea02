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
constexpr std::array<std::string_view, 9> kKeyWords = {
    "key", "apikey", "token", "private", "auth", "authorization", "bearer", "pass", "pat",
};
/// Of many things that are no secret, too: input_keys, special_tokens.
constexpr std::array<std::string_view, 3> kSeveralWords = {"keys", "apikeys", "tokens"};
/// What a word that is written together may end with: dbpassword, pgpassword, authtoken.
constexpr std::array<std::string_view, 6> kPasswordEndings = {
    "password", "passwords", "passwd", "passphrase", "secret", "secrets",
};
constexpr std::array<std::string_view, 6> kKeyEndings = {
    "token", "apikey", "secretkey", "accesskey", "privatekey", "sshpass",
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
  for (std::string& word : words) {
    word.erase(word.find_last_not_of("0123456789") + 1);  // password2
    word = to_lower_ascii(word);
  }
  std::erase(words, "");
  return words;
}

template <std::size_t size>
bool any_of(const Words& words, const std::array<std::string_view, size>& wanted) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return std::find(wanted.begin(), wanted.end(), word) != wanted.end();
  });
}

template <std::size_t size>
bool any_ends_with(const Words& words, const std::array<std::string_view, size>& endings) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return std::any_of(endings.begin(), endings.end(),
                       [&](std::string_view ending) { return word.ends_with(ending); });
  });
}

SecretKind kind_of(const Words& words) {
  // PWD alone is the working directory.
  const bool directory = words == Words{"pwd"} || words == Words{"oldpwd"};
  if (!directory && (any_of(words, kPasswordWords) || any_ends_with(words, kPasswordEndings)))
    return SecretKind::kPassword;
  if (any_of(words, kKeyWords) || any_ends_with(words, kKeyEndings)) return SecretKind::kKey;
  return any_of(words, kSeveralWords) ? SecretKind::kSeveral : SecretKind::kNone;
}

/// Of letters of one case, and without digits: "image,label", "<pad>", "[MASK]".
bool is_plain_text(std::string_view value) {
  const bool has_digit = value.find_first_of("0123456789") != std::string_view::npos;
  const bool has_upper = std::any_of(value.begin(), value.end(), is_upper);
  const bool has_lower = std::any_of(value.begin(), value.end(), is_lower);
  return !has_digit && !(has_upper && has_lower);
}

bool is_number(std::string_view value) {
  const auto json = Json::parse(value);
  return json && json->to_double().has_value();
}

bool is_place(const Words& words, std::string_view value) {
  return value.starts_with('/') && any_of({words.back()}, kPlaceWords);
}

}  // namespace

SecretKind secret_kind(std::string_view name) { return kind_of(words_of(name)); }

bool is_secret(SecretKind kind, std::string_view value) {
  if (kind == SecretKind::kNone || value.empty()) return false;
  if (any_of({to_lower_ascii(trim(value))}, kSwitchValues)) return false;
  if (kind == SecretKind::kPassword) return true;
  return !is_number(value) && (kind == SecretKind::kKey || !is_plain_text(value));
}

bool is_secret(std::string_view name, std::string_view value) {
  if (value.empty()) return false;
  const Words words = words_of(name);
  const SecretKind kind = kind_of(words);
  return kind != SecretKind::kNone && !is_place(words, value) && is_secret(kind, value);
}

}  // namespace trainit::environment
