#pragma once

#include <string>
#include <string_view>

#include "trainit/result.h"

/// Between text as Python holds it (UTF-8 that may have lone surrogates) and what a process is
/// given.
namespace trainit::environment {

/// The bytes of `text` in an environment variable or an argument. Python's own way back from a byte
/// that is no UTF-8 is taken too: U+DC80–U+DCFF become the bytes 80–FF. Errors end a sentence that
/// begins with what `text` is: "has a NUL character, …", "has the lone surrogate U+D800, …".
Result<std::string> process_bytes(std::string_view text);

/// True when a shell can have a variable of this name: letters, digits and '_' of ASCII, no digit
/// first.
bool is_shell_name(std::string_view name);

/// `name` with '_' in the place of each character that a shell cannot have in a name.
std::string to_shell_name(std::string_view name);

}  // namespace trainit::environment
