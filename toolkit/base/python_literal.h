#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "trainit/json.h"

namespace trainit::python {

/// A value, and how many bytes of a text it is.
struct Literal {
  Json value;
  std::size_t length;
};

/// The value that `text` begins with, as `repr` writes lists, dicts, tuples (read as lists), texts,
/// numbers, True, False and None; JSON's words are understood, too. A dict's key that is no text
/// becomes its `str`. Nothing for anything else, and beyond 200 levels of nesting.
std::optional<Literal> read_literal(std::string_view text);

}  // namespace trainit::python
