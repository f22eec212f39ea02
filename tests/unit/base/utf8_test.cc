#include "base/utf8.h"

#include <doctest/doctest.h>

using namespace trainit;

TEST_CASE("every code point comes back from its own bytes") {
  for (std::uint32_t code = 0; code <= 0x10FFFF; ++code) {
    std::string text;
    utf8::append(text, code);
    const utf8::Decoded decoded = utf8::decode(text + "x");
    const bool same = decoded.valid && decoded.code_point == code && decoded.length == text.size();
    REQUIRE_MESSAGE(same, code);
  }
}

TEST_CASE("bytes that are no UTF-8 are one invalid byte each") {
  for (const char* text :
       {"\x80", "\xBF", "\xC0\xAF", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x80\xAF", "\xE2\x82",
        "\xF0\x8F\xBF\xBF", "\xF0\x9F\x98", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    const utf8::Decoded decoded = utf8::decode(text);
    CHECK_FALSE(decoded.valid);
    CHECK(decoded.length == 1);
    CHECK(decoded.code_point == static_cast<unsigned char>(text[0]));
  }
}

TEST_CASE("sanitized text is valid, and valid text is left as it is") {
  CHECK(utf8::sanitize("a é 😀") == "a é 😀");
  CHECK(utf8::sanitize("a\xFFz") == "a\uFFFDz");
  CHECK(utf8::sanitize("\xC3") == "\uFFFD");
  CHECK(utf8::sanitize("\xED\xA0\x80") == "\uFFFD");
  CHECK(utf8::sanitize("") == "");
}

TEST_CASE("the ASCII at the beginning of a text ends at the first byte that is none, wherever") {
  for (std::size_t size = 0; size < 20; ++size) {
    CHECK(utf8::ascii_prefix(std::string(size, 'a')) == size);
    for (const char* other : {"\x80", "é", "\xFF"}) {
      const std::string text = std::string(size, '\0') + other + "zzzzzzzzz";
      CHECK(utf8::ascii_prefix(text) == size);
      CHECK(utf8::sanitize(text) == std::string(size, '\0') + utf8::sanitize(other) + "zzzzzzzzz");
    }
  }
}

TEST_CASE("text on one line has no control characters, and is valid") {
  CHECK(utf8::one_line("a\tb\r\n\x7F\x1b é\xFF") == "a b     é\uFFFD");
}

TEST_CASE("truncated text never ends inside a character") {
  const std::string_view text = "aé中😀";  // 1 + 2 + 3 + 4 bytes
  const std::size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
  for (std::size_t bytes = 0; bytes < std::size(expected); ++bytes) {
    CHECK(utf8::truncate(text, bytes).size() == expected[bytes]);
  }
}

TEST_CASE("shortened text is no longer than asked, and what is cut is marked") {
  CHECK(utf8::shorten("aé中", 6) == "aé中");
  CHECK(utf8::shorten("aé中", 5) == "a…");
  CHECK(utf8::shorten("a  bcdef", 6) == "a…");
  CHECK(utf8::shorten("aé中", 2) == "");
}
TEST_CASE("truncated bytes that are no UTF-8 are as long as asked") {
  CHECK(utf8::truncate("a\x80\x80\x80\x80\x80", 3) == "a\x80\x80");
  CHECK(utf8::truncate("a\x80z", 1) == "a");
  CHECK(utf8::truncate("\xF0\x9Fz", 1) == "\xF0");
}

TEST_CASE("the last bytes of a text never begin inside a character") {
  const std::string_view text = "😀中éa";  // 4 + 3 + 2 + 1 bytes
  const std::size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
  for (std::size_t bytes = 0; bytes < std::size(expected); ++bytes) {
    CHECK(utf8::last_bytes(text, bytes) == text.substr(text.size() - expected[bytes]));
  }
}

TEST_CASE("the last bytes of what is no UTF-8 are nearly as many as asked") {
  CHECK(utf8::last_bytes(std::string(20, '\x80'), 10).size() == 7);
  CHECK(utf8::last_bytes("z\x80\x80", 2).empty());
}

TEST_CASE("a character whose last bytes are missing is told from a whole one and from garbage") {
  CHECK(utf8::cut_off("") == 0);
  CHECK(utf8::cut_off("abc") == 0);
  CHECK(utf8::cut_off("caf\xC3") == 1);
  CHECK(utf8::cut_off("caf\xC3\xA9") == 0);
  CHECK(utf8::cut_off("\xE2\x82") == 2);
  CHECK(utf8::cut_off("\xF0\x9F\x98") == 3);
  CHECK(utf8::cut_off("\xF0\x9F\x98\x80") == 0);
  CHECK(utf8::cut_off("\x80\x80\x80\x80") == 0);
  CHECK(utf8::cut_off("a\xFF") == 0);
}
