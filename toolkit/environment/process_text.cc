#include "environment/process_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"

namespace trainit::environment {
namespace {

bool is_shell_character(char character) {
  return is_digit(character) || (character >= 'a' && character <= 'z') ||
         (character >= 'A' && character <= 'Z') || character == '_';
}

}  // namespace

Result<std::string> process_bytes(std::string_view text) {
  std::string bytes;
  while (true) {
    const std::string_view plain = text.substr(0, utf8::ascii_prefix(text));
    if (plain.find('\0') != std::string_view::npos)
      return fail("has a NUL character, which no process can be given");
    bytes += plain;
    text.remove_prefix(plain.size());
    if (text.empty()) return bytes;
    const auto character = utf8::decode(text);
    const std::uint32_t code_point = character.code_point;
    if (!character.valid || !utf8::is_surrogate(code_point)) {
      bytes += text.substr(0, character.length);
    } else if (code_point >= 0xDC80 && code_point <= 0xDCFF) {
      bytes += static_cast<char>(code_point - 0xDC00);
    } else {
      return fail(
          fmt::format("has the lone surrogate U+{:04X}, which is no character", code_point));
    }
    text.remove_prefix(character.length);
  }
}

bool is_shell_name(std::string_view name) {
  return !name.empty() && !is_digit(name[0]) &&
         std::all_of(name.begin(), name.end(), is_shell_character);
}

std::string to_shell_name(std::string_view name) {
  std::string result;
  while (!name.empty()) {
    result += is_shell_character(name[0]) ? name[0] : '_';
    name.remove_prefix(utf8::decode(name).length);
  }
  return result;
}

}  // namespace trainit::environment
