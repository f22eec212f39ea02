#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "trainit/json.h"

namespace trainit::environment {

/// A list or an object that a text holds, in JSON or in Python's text (`str` of it); or a text in
/// quotes, which may hold one in its turn.
struct StructuredText {
  /// Nothing when the text holds anything else.
  static std::optional<StructuredText> read(std::string_view text);

  /// Another value, written as this one is.
  std::string write(const Json& other) const;

  std::string_view text;
  Json value;
  bool is_python;
};

}  // namespace trainit::environment
