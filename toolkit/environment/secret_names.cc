#include <algorithm>
#include <array>

#include "base/text.h"
#include "environment/secrets.h"
#include "trainit/json.h"

namespace trainit::environment {
namespace {

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
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char to_lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_word_character(char c) { return is_upper(c) || is_lower(c) || is_digit(c); }

/// "aB" and the B of "ABc" begin a word.
bool begins_word(std::string_view name, std::size_t at) {
  if (at == 0 || !is_upper(name[at])) return false;
  const bool before_lower = at + 1 < name.size() && is_lower(name[at + 1]);
  return !is_upper(name[at - 1]) || before_lower;
}

/// Reads the words of a name, one after the other, as they are written there.
class WordReader {
 public:
  explicit WordReader(std::string_view name) : name_(name) {}

  /// The next word, without the digits at its end (password2); empty: there is none.
  std::string_view next() {
    std::string_view word;
    while (word.empty() && at_ < name_.size()) {
      word = read_word();
      while (!word.empty() && is_digit(word.back())) word.remove_suffix(1);
    }
    return word;
  }

 private:
  std::string_view read_word() {
    while (at_ < name_.size() && !is_word_character(name_[at_])) ++at_;
    const std::size_t begin = at_;
    while (at_ < name_.size() && is_word_character(name_[at_])) {
      if (at_ > begin && begins_word(name_, at_)) break;
      ++at_;
    }
    return name_.substr(begin, at_ - begin);
  }

  std::string_view name_;
  std::size_t at_ = 0;
};

/// Whatever the case of its letters; `lower` has lower ones alone.
bool is_same(std::string_view word, std::string_view lower) {
  return word.size() == lower.size() &&
         std::equal(word.begin(), word.end(), lower.begin(),
                    [](char one, char other) { return to_lower(one) == other; });
}

template <std::size_t size>
bool is_among(std::string_view word, const std::array<std::string_view, size>& wanted) {
  return std::any_of(wanted.begin(), wanted.end(),
                     [&](std::string_view one) { return is_same(word, one); });
}

template <std::size_t size>
bool ends_with_any(std::string_view word, const std::array<std::string_view, size>& endings) {
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) {
    return word.size() >= ending.size() &&
           is_same(word.substr(word.size() - ending.size()), ending);
  });
}

SecretKind kind_of_word(std::string_view word) {
  if (is_among(word, kPasswordWords) || ends_with_any(word, kPasswordEndings))
    return SecretKind::kPassword;
  if (is_among(word, kKeyWords) || ends_with_any(word, kKeyEndings)) return SecretKind::kKey;
  return is_among(word, kSeveralWords) ? SecretKind::kSeveral : SecretKind::kNone;
}

/// What a name says of its value.
struct Name {
  SecretKind kind = SecretKind::kNone;
  bool is_of_place = false;  ///< by its last word; PWD alone is the working directory
};

Name understand(std::string_view text) {
  Name name;
  WordReader reader(text);
  int words = 0;
  for (std::string_view word = reader.next(); !word.empty(); word = reader.next()) {
    name.kind = std::max(name.kind, kind_of_word(word));
    const bool is_first = ++words == 1;
    name.is_of_place = is_among(word, kPlaceWords) || (is_first && is_same(word, "pwd"));
  }
  return name;
}

/// Of letters of one case, and without digits: "image,label", "<pad>", "[MASK]".
bool is_plain_text(std::string_view value) {
  const bool has_digit = value.find_first_of("0123456789") != std::string_view::npos;
  const bool has_upper = std::any_of(value.begin(), value.end(), is_upper);
  const bool has_lower = std::any_of(value.begin(), value.end(), is_lower);
  return !has_digit && !(has_upper && has_lower);
}

/// No count, no size and no probability has so many digits.
bool is_long_number(std::string_view value) {
  constexpr std::size_t kManyDigits = 12;
  value = trim(value);
  return value.size() >= kManyDigits &&
         value.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_number(std::string_view value) {
  const auto json = Json::parse(value);
  return json && json->to_double().has_value();
}

}  // namespace

SecretKind secret_kind(std::string_view name) { return understand(name).kind; }

bool is_secret(SecretKind kind, std::string_view value) {
  if (kind == SecretKind::kNone || value.empty()) return false;
  if (is_among(trim(value), kSwitchValues)) return false;
  if (kind == SecretKind::kPassword) return true;
  if (is_number(value)) return kind == SecretKind::kKey && is_long_number(value);
  return kind == SecretKind::kKey || !is_plain_text(value);
}

bool is_secret(std::string_view name, std::string_view value) {
  if (value.empty()) return false;
  const Name told = understand(name);
  const bool is_place = told.is_of_place && value.starts_with('/');
  return !is_place && is_secret(told.kind, value);
}

}  // namespace trainit::environment
