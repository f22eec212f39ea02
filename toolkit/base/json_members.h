#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "trainit/json.h"

/// The members of an object that somebody else wrote: what is not there, or of another kind than
/// the one that is asked for, is no error.
namespace trainit {

/// Empty when it is no string.
std::string text_of(const Json& object, std::string_view name);

/// The same, made to fit on one line of at most `longest` bytes.
std::string line_of(const Json& object, std::string_view name, std::size_t longest);

std::optional<std::int64_t> integer_of(const Json& object, std::string_view name);

/// Of an integer too.
std::optional<double> number_of(const Json& object, std::string_view name);

/// As Python's `bool` takes the value; false when it is not there.
bool flag_of(const Json& object, std::string_view name);

}  // namespace trainit
