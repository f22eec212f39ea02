#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace trainit::utf8 {

/// One decoded character: its code point and its length in bytes. `valid` is false for a byte that
/// begins no character; then `code_point` is that byte and `length` 1.
struct Decoded {
  std::uint32_t code_point;
  std::size_t length;
  bool valid;
};

/// The character at the start of `text`, which is not empty. Surrogates (ED A0 80 … ED BF BF)
/// decode as valid characters U+D800–U+DFFF; overlong forms and code points past U+10FFFF do not.
Decoded decode(std::string_view text);

/// How many bytes at the start of `text` are ASCII, before the first that is not: most texts are
/// all of it, and need no decoding.
std::size_t ascii_prefix(std::string_view text);

/// Appends the character's UTF-8 (three bytes for a surrogate).
void append(std::string& text, std::uint32_t code_point);

inline bool is_surrogate(std::uint32_t code_point) { return code_point - 0xD800 < 0x800; }

/// `text` with every byte that is no valid UTF-8 (surrogates too) replaced by U+FFFD.
std::string sanitize(std::string_view text);

/// `text` sanitized, with a space in place of each control character: it fits on a line of a log.
std::string one_line(std::string_view text);

/// The longest prefix of at most `bytes` bytes that does not end inside a character.
std::string_view truncate(std::string_view text, std::size_t bytes);

/// At most `bytes` bytes of `text`; what is cut is marked with "…" at its end.
std::string shorten(std::string_view text, std::size_t bytes);

/// The longest suffix of at most `bytes` bytes that does not begin inside a character.
std::string_view last_bytes(std::string_view text, std::size_t bytes);

/// How many bytes at the end of `text` begin a character whose other bytes are missing: 0 to 3.
std::size_t cut_off(std::string_view text);

}  // namespace trainit::utf8
