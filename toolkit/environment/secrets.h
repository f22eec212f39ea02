#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "environment/prefix_set.h"
#include "trainit/environment.h"
#include "trainit/hyperparameters.h"
#include "trainit/json.h"

namespace trainit::environment {

/// What a name promises of its value, from the least to the most.
enum class SecretKind {
  kNone,
  kSeveral,   ///< API_KEYS, but also input_keys and special_tokens
  kKey,       ///< API_KEY, hf_token, SMTP_PASS, apiKey
  kPassword,  ///< DB_PASSWORD, client.secret
};
/// A name's kind is that of one of its words: it is split at anything that is no letter or digit,
/// and where capitals begin. "tokenizer" and "keyboard" mean no secret.
SecretKind secret_kind(std::string_view name);

/// Not every value under such a name is a secret: an empty one and a boolean never
/// (`use_auth_token=true`); a number only under a word for passwords (`num_key_value_heads=8` and
/// `max_tokens=512` are none, `password=1234` is), and of 12 digits or more under one for a key;
/// one of several only when it has a digit or letters of both cases (`input_keys=image,label` is
/// none).
bool is_secret(SecretKind kind, std::string_view value);

/// True when `value` of the variable, hyperparameter or option `name` is not to be shown. An
/// absolute path is, unless the name says that it is one (`SSH_AUTH_SOCK`, `PASSWORD_FILE`, `PWD`).
bool is_secret(std::string_view name, std::string_view value);

/// A text in which "***" stands for each secret.
struct MaskedText {
  /// One secret: where it stood before, behind what was dropped, and where its mask stands now.
  struct Cut {
    std::size_t original_at, original_length, masked_at;
  };

  /// Where the byte at `offset` of `text` stood before; of a mask, where the secret began.
  std::size_t original_offset(std::size_t offset) const;

  std::string text;
  std::vector<Cut> cuts;    ///< in order
  std::size_t dropped = 0;  ///< bytes that stood before `text`
};

/// Masks the *values* of secrets wherever they stand in a text: in an aggregate such as SM_HPS, in
/// an argument list, in a message. It knows each value raw and as it appears in JSON (nested up to
/// three times), in Python's repr, in a shell's single quotes and in a URL, with and without white
/// space around it; of a value of several lines also each that has at least 8 bytes. Nothing
/// shorter, so a text is masked before anything is cut from it.
class Secrets {
 public:
  /// Collects the secrets of the variables, of the hyperparameters and of the options in
  /// `arguments` ("--password", "x"; "--token=x"; "sh", "-c", "TOKEN=x …"), also those in texts
  /// that hold a list or an object in JSON or in Python's text. What counts in an argument counts
  /// in every text, and an item of a list may be the value of the option before it. A value shorter
  /// than 4 bytes stands in too many innocent texts: it is masked only where its name tells it
  /// (`mask_variable`, `mask_arguments`, `mask_json`), never inside other text.
  static Secrets collect(const Environment& environment, const Hyperparameters& hyperparameters,
                         const std::vector<std::string>& arguments = {});

  /// Whether none is known. A name may tell one all the same that is too short to be searched for.
  bool empty() const { return values_.empty(); }
  /// `text` with each secret value replaced by "***"; of values that overlap there, all together by
  /// one. The time grows with its length.
  MaskedText apply(std::string_view text) const;
  std::string mask(std::string_view text) const { return apply(text).text; }
  /// The same of a text that was cut off at its front, without what may be the end of a secret.
  MaskedText apply_behind_cut(std::string_view text) const;
  /// The same of a text that was cut off at its end, without what may be the beginning of a secret.
  std::string mask_cut_off(std::string_view text) const;
  /// The variable's value, fit to be shown; of JSON or Python's text each member by its own name,
  /// of name=value what stands behind it.
  std::string mask_variable(std::string_view name, std::string_view value) const;
  /// The arguments, fit to be shown.
  std::vector<std::string> mask_arguments(const std::vector<std::string>& arguments) const;
  /// The value of `name`, fit to be shown; each member by its own name, too.
  Json mask_json(std::string_view name, const Json& value) const;

 private:
  std::size_t end_of_run(std::string_view text, std::size_t end) const;

  PrefixSet values_;  ///< in each form; most jobs have none, and their texts are not searched
};

/// Every variable, fit to be shown.
Environment mask_environment(Environment environment, const Secrets& secrets);

}  // namespace trainit::environment
