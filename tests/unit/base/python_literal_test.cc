#include "base/python_literal.h"

#include <doctest/doctest.h>

#include "base/python_text.h"

using namespace trainit;

namespace {

/// As JSON in file order; "nothing" when there is none.
std::string read(std::string_view text) {
  const auto literal = python::read_literal(text);
  return literal ? dump_json(literal->value, JsonStyle::kPython) : "nothing";
}

}  // namespace

TEST_CASE("what Python writes is read back") {
  for (
      const char* json :
      {"[]", "{}", R"([1, -2.5, 1e-05, true, false, null, "a", ["b"]])",
       R"({"b": {"a": "it's \"quoted\""}, "": ["\\", "\n\t\r\u0007", "\u00e9\u200b\ud83d\ude00\udcff"]})",
       "[123456789012345678901234567890, Infinity, -Infinity]"}) {
    CAPTURE(json);
    const Json value = *Json::parse(json);
    const std::string text = python::str(value);
    CAPTURE(text);
    const auto literal = python::read_literal(text);
    REQUIRE(literal);
    CHECK(literal->value == value);
    CHECK(literal->length == text.size());
  }
}

TEST_CASE("what only Python has is read, too") {
  CHECK(read("(1, 'a', )") == R"([1, "a"])");
  CHECK(read("[1, ]") == "[1]");
  CHECK(read("{1: 'a', None: True, }") == R"({"1": "a", "None": true})");
  CHECK(read("[nan]") == "[NaN]");
  CHECK(read(R"(['\q\'\U0001F600'])") == "[\"\\\\q'\\ud83d\\ude00\"]");
  CHECK(read(R"( { "a" : true } )") == R"({"a": true})");
}

TEST_CASE("a literal ends where it ends") {
  CHECK(python::read_literal("[1],b=2")->length == 3);
  CHECK(python::read_literal("'a' b")->length == 3);
}

TEST_CASE("what is no literal is nothing") {
  for (const char* text : {"",
                           " ",
                           "[",
                           "]",
                           "[1",
                           "[1,,2]",
                           "[,]",
                           "[1 2]",
                           "{1}",
                           "{'a'}",
                           "{'a': }",
                           "{'a': 1",
                           "'a",
                           R"('\)",
                           R"('\x4')",
                           R"('\U00110000')",
                           "abc",
                           "<object>",
                           "[datetime(1)]",
                           "b'a'",
                           "[007]"}) {
    CAPTURE(text);
    CHECK(read(text) == "nothing");
  }
}

TEST_CASE("nesting has an end") {
  const auto nested = [](std::size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  CHECK(python::read_literal(nested(200)).has_value());
  CHECK_FALSE(python::read_literal(nested(201)).has_value());
  CHECK_FALSE(python::read_literal(std::string(100000, '[')).has_value());
}
