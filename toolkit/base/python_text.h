#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "trainit/json.h"

/// Text as Python makes it, for what scripts receive as arguments and variable names, and the
/// numbers that they make of it.
namespace trainit::python {

/// `str(value)` of the decoded value: `True`, `None`, `1e-05`, `[1, 'a', None]`, `{'b': 2}`; a
/// string is itself.
std::string str(const Json& value);

/// `repr(value)`: as `str`, but a string stands in quotes chosen and escaped as Python does it
/// (`str.isprintable` of Unicode 14, Python 3.11).
std::string repr(const Json& value);

/// `repr` of a float: shortest digits that read back the same, `1e-05`, `1e+16`, `inf`, `nan`.
std::string repr(double value);

/// `text.upper()`: full Unicode upper-casing, in which one character may become several ("ß" →
/// "SS"). Bytes that are no UTF-8 stay as they are.
std::string upper(std::string_view text);

/// `int(text)` and `float(text)` of ASCII text: white space around the number, a sign and single
/// underscores between digits are fine, and "inf" and "nan" are floats. Nothing where Python raises
/// a ValueError, for an integer of more than 64 bits, and for Unicode's other spaces and digits.
std::optional<std::int64_t> to_int(std::string_view text);
std::optional<double> to_float(std::string_view text);

}  // namespace trainit::python
