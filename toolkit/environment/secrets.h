#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "trainit/environment.h"
#include "trainit/hyperparameters.h"

namespace trainit::environment {

/// True for names such as API_KEY, hf_token, DB_PASSWORD, apiKey: a word of the name (split at
/// anything that is no letter or digit, and where capitals begin) is one that means a secret.
/// "tokenizer" and "keyboard" are none.
bool looks_secret(std::string_view name);

/// True when `value` of the variable, hyperparameter or option `name` is not to be shown. Not every
/// value of a secret's name is one: an empty one and a boolean never (`use_auth_token=true`); a
/// number only under a word for passwords (`num_key_value_heads=8` is none, `password=1234` is); an
/// absolute path not under a name that says it is one (`SSH_AUTH_SOCK`, `PASSWORD_FILE`).
bool is_secret(std::string_view name, std::string_view value);

/// Masks the *values* of secrets wherever they stand in a text: in an aggregate such as SM_HPS, in
/// an argument list, in a message. It knows each value raw and as it appears in JSON (nested up to
/// three times), in Python's repr and in a shell's single quotes.
class Secrets {
 public:
  /// Collects the secrets of the variables, of the hyperparameters and of the options in
  /// `arguments`
  /// ("--password", "x"; "--token=x"), nested ones too. A value shorter than 4 bytes is masked only
  /// where it stands alone as a secret's own value, never inside other text.
  static Secrets collect(const Environment& environment, const Hyperparameters& hyperparameters,
                         const std::vector<std::string>& arguments = {});

  /// `text` with each secret value replaced by "***".
  std::string mask(std::string_view text) const;
  /// The variable's value, fit to be shown.
  std::string mask_variable(std::string_view name, std::string_view value) const;
  /// The arguments, fit to be shown.
  std::vector<std::string> mask_arguments(const std::vector<std::string>& arguments) const;

 private:
  void add_named(std::string_view name, std::string_view value);
  void add_json(std::string_view name, const Json& value, bool inside_secret);
  void add_members(const Json::Object& members, bool inside_secret);
  void add(std::string_view value);
  void sort();

  std::vector<std::string> values_;  ///< in each form, longest first
};

/// Every variable, fit to be shown.
Environment mask_environment(const Environment& environment, const Secrets& secrets);

}  // namespace trainit::environment
