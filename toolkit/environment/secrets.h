#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "trainit/environment.h"
#include "trainit/hyperparameters.h"

namespace trainit::environment {

/// True for names such as API_KEY, hf_token, DB_PASSWORD: a word of the name (split at anything that is
/// no letter or digit, and at lower-to-upper changes) is one that means a secret. "tokenizer" and
/// "keyboard" are none.
bool looks_secret(std::string_view name);

/// Masks the *values* of secrets wherever they stand in a text: in an aggregate such as SM_HPS, in an
/// argument list, in a message. It knows each value raw and as it appears inside JSON.
class Secrets {
 public:
  /// Collects the secrets of the variables and the hyperparameters, nested ones too. A value shorter than 4 bytes
  /// is masked only where it stands alone as a secret's own value, never inside other text.
  static Secrets collect(const Environment& environment, const Hyperparameters& hyperparameters);

  /// `text` with each secret value replaced by "***".
  std::string mask(std::string_view text) const;
  /// The variable's value, fit to be shown.
  std::string mask_variable(std::string_view name, std::string_view value) const;

 private:
  std::vector<std::string> values_;  ///< longest first
};

}  // namespace trainit::environment
