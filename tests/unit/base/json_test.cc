#include "trainit/json.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cmath>

using namespace trainit;
using namespace std::string_view_literals;

namespace {

Json parsed(std::string_view text) {
  const Result<Json> value = Json::parse(text);
  REQUIRE_MESSAGE(value.has_value(), text, " → ", value.error().message);
  return *value;
}

std::string refusal(std::string_view text) {
  const Result<Json> value = Json::parse(text);
  REQUIRE_FALSE_MESSAGE(value.has_value(), text);
  return value.error().message;
}

std::string nested(int levels) { return std::string(levels, '[') + std::string(levels, ']'); }

}  // namespace

TEST_CASE("each kind of value is read as that kind and no other") {
  CHECK(parsed("null").is_null());
  CHECK(*parsed("true").boolean());
  CHECK(parsed("5").integer()->digits == "5");
  CHECK(*parsed("0.5").number() == 0.5);
  CHECK(*parsed("\"a\"").string() == "a");
  CHECK(*parsed("[1, 2]").array() == Json::Array{1, 2});
  CHECK(*parsed("{\"a\": 1}").object() == Json::Object{{"a", 1}});
  CHECK(parsed("5").number() == nullptr);
  CHECK(parsed("5.0").integer() == nullptr);
  CHECK(parsed("null").boolean() == nullptr);
}

TEST_CASE("what Python calls numbers are numbers") {
  CHECK(std::isnan(*parsed("NaN").number()));
  CHECK(*parsed("Infinity").number() == HUGE_VAL);
  CHECK(*parsed("-Infinity").number() == -HUGE_VAL);
  CHECK(*parsed("1e400").number() == HUGE_VAL);
  CHECK(*parsed("-1e-400").number() == 0);
  CHECK(std::signbit(*parsed("-1e-400").number()));
  CHECK(std::signbit(*parsed("-0.0").number()));
  CHECK(parsed("-0").integer()->digits == "0");
}

TEST_CASE("an integer of any size keeps its digits, up to Python's limit") {
  const std::string most(4300, '9');
  CHECK(parsed(most).integer()->digits == most);
  CHECK(parsed("-" + most).integer()->digits == "-" + most);
  CHECK(refusal("[" + most + "9]") ==
        "line 1, column 2: expected an integer of at most 4300 digits, found 4301 digits");
}

TEST_CASE("an integer is 64 bits when it fits, and a double always") {
  CHECK(parsed("-9223372036854775808").to_int64() == INT64_MIN);
  CHECK_FALSE(parsed("9223372036854775808").to_int64());
  CHECK_FALSE(parsed("1.0").to_int64());
  CHECK(parsed("9007199254740993").to_double() == 9007199254740992.0);
  CHECK(parsed("-1" + std::string(400, '0')).to_double() == -HUGE_VAL);
  CHECK(parsed("0.5").to_double() == 0.5);
  CHECK_FALSE(parsed("\"5\"").to_double());
}

TEST_CASE("of equal names the last value counts, at the place of the first") {
  CHECK(dump_json(parsed(R"({"b": 1, "a": 2, "b": 3, "c": 4, "b": 5})"), JsonStyle::kPython) ==
        R"({"b": 5, "a": 2, "c": 4})");
}

TEST_CASE("a member is found by its name, and only in an object") {
  const Json value = parsed(R"({"a": 1, "": 2})");
  CHECK(*value.find("a") == Json(1));
  CHECK(*value.find("") == Json(2));
  CHECK(value.find("A") == nullptr);
  CHECK(parsed("[1]").find("a") == nullptr);
}

TEST_CASE("escapes become the characters they stand for") {
  CHECK(*parsed(R"("\" \\ \/ \b\f\n\r\t \u00e9 \u0000")").string() ==
        "\" \\ / \b\f\n\r\t \u00e9 \0"sv);
}

TEST_CASE("two halves of a surrogate pair are one character, and a lone half is kept") {
  CHECK(*parsed(R"("\ud83d\ude00")").string() == "\U0001F600");
  CHECK(*parsed(R"("\ud83d")").string() == "\xED\xA0\xBD");
  CHECK(*parsed(R"("\ude00\ud83d")").string() == "\xED\xB8\x80\xED\xA0\xBD");
  CHECK(*parsed(R"("\ud83d\u0041")").string() == "\xED\xA0\xBD\x41");
  CHECK(*parsed("\"\xED\xA0\xBD\"").string() == "\xED\xA0\xBD");
}

TEST_CASE("a byte order mark, Windows line ends and space around the value do not matter") {
  CHECK(parsed("\xEF\xBB\xBF \r\n{\r\n\"a\":\t1\r\n}\r\n ") == parsed("{\"a\":1}"));
}

TEST_CASE("a refusal says where, what was expected and what was found") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "line 1, column 1: expected a value, found the end of the text"},
      {"\n ", "line 2, column 2: expected a value, found the end of the text"},
      {"{\n\"a\": 1,\n\"name\": \"x\" \"y\"}",
       "line 3, column 13: expected ',' or '}' after a value, found '\"'"},
      {"True", "line 1, column 1: expected a value, found 'True'"},
      {"{'a': 1}", "line 1, column 2: expected a name in double quotes or '}', found \"'\""},
      {"{\"a\": 1,}", "line 1, column 9: expected a name in double quotes after ',', found '}'"},
      {"{\"a\" 1}", "line 1, column 6: expected ':' after a name, found '1'"},
      {"{\"a\": }", "line 1, column 7: expected a value after ':', found '}'"},
      {"{\"a\": 1",
       "line 1, column 8: expected ',' or '}' after a value, found the end of the text"},
      {"[hunter2]", "line 1, column 2: expected a value or ']', found 'h'"},
      {"[x]", "line 1, column 2: expected a value or ']', found 'x'"},
      {"[1,\r\n]", "line 2, column 1: expected a value after ',', found ']'"},
      {"[1 2]", "line 1, column 4: expected ',' or ']' after a value, found '2'"},
      {"1 x", "line 1, column 3: expected the end of the text, found 'x'"},
      {"-", "line 1, column 2: expected a digit after '-', found the end of the text"},
      {"[1.]", "line 1, column 4: expected a digit after '.', found ']'"},
      {"1e+",
       "line 1, column 4: expected a digit after the 'e' of an exponent, found the end of the "
       "text"},
      {"007", "line 1, column 2: expected no digit after a leading 0, found '0'"},
      {"[\"é\", \"abc]",
       "line 1, column 12: expected '\"' at the end of the string that begins at line 1, column 7, "
       "found the end of the text"},
      {"\"a\nb\"",
       "line 1, column 3: expected '\"' at the end of a string, or \\n inside it, found a line "
       "end"},
      {"\"a\tb\"",
       "line 1, column 3: expected '\"' at the end of a string, or \\t inside it, found a tab"},
      {"\"\x01\"",
       "line 1, column 2: expected '\"' at the end of a string, or \\u0001 inside it, "
       "found the character U+0001"},
      {R"("\x")", "line 1, column 3: expected one of \" \\ / b f n r t u after '\\', found 'x'"},
      {R"("\u12g4")", "line 1, column 6: expected four hexadecimal digits after \\u, found 'g'"},
      {R"("\ud83d\uzz")",
       "line 1, column 10: expected four hexadecimal digits after \\u, found 'z'"},
      {"[\xED\xA0\x80]", "line 1, column 2: expected a value or ']', found the character U+D800"},
      {"[\"é\xFF\"]",
       "line 1, column 4: expected UTF-8 in a string, found the byte 0xFF, which is no UTF-8"},
      {"é", "line 1, column 1: expected a value, found 'é'"},
  };
  for (const auto& [text, sentence] : cases) CHECK(refusal(text) == sentence);
}

TEST_CASE("a NUL is no end of the text") {
  CHECK(refusal("1\0"sv) ==
        "line 1, column 2: expected the end of the text, found the character U+0000");
  CHECK(refusal("\"\0\""sv).find("\\u0000") != std::string::npos);
}

TEST_CASE("of the raw characters in a string only those below the space are refused") {
  for (char c = 0; c < ' '; ++c) CHECK_FALSE(Json::parse(fmt::format("\"{}\"", c)));
  CHECK(*parsed("\" \x7F\"").string() == " \x7F");
}

TEST_CASE("two hundred levels are read and written, one more is refused") {
  CHECK(dump_json(parsed(nested(200))) == nested(200));
  CHECK(refusal(nested(201)) ==
        "line 1, column 201: expected at most 200 levels of nesting, found '['");
  CHECK(refusal(std::string(1000000, '[')).starts_with("line 1, column 201: "));
}

TEST_CASE("an object with very many names, many of them twice, is read") {
  std::string text = "{";
  Json::Object expected;
  for (int i = 0; i < 100000; ++i) {
    text += fmt::format("\"{}\":{},", i % 60000, i);
    if (i < 60000) expected.push_back({std::to_string(i), Json(i < 40000 ? i + 60000 : i)});
  }
  text.back() = '}';
  CHECK((parsed(text) == Json(expected)));
}

TEST_CASE("the compact style sorts names by code point and leaves no space") {
  CHECK(dump_json(parsed(R"({"b": [1, {"z": null, "a": true}], "é": 1.50, "B": "x"})")) ==
        R"({"B":"x","b":[1,{"a":true,"z":null}],"\u00e9":1.5})");
}

TEST_CASE("the style of Python keeps the order of the file and writes its spaces") {
  CHECK(dump_json(parsed(R"({"b":[1,{}],"a":"x"})"), JsonStyle::kPython) ==
        R"({"b": [1, {}], "a": "x"})");
}

TEST_CASE("strings are written in ASCII") {
  CHECK(dump_json("\"\\/\b\f\n\r\t\x01\x7F") == R"("\"\\/\b\f\n\r\t\u0001\u007f")");
  CHECK(dump_json("¡ø") == R"("\u00a1\u00f8")");
  CHECK(dump_json("\U0001F600\U0010FFFF") == R"("\ud83d\ude00\udbff\udfff")");
  CHECK(dump_json("\xED\xA0\x80") == R"("\ud800")");
  CHECK(dump_json("\xFF") == R"("\udcff")");
}

TEST_CASE("what Python calls false is false, and nothing else") {
  for (const auto* text :
       {"null", "false", "0", "-0", "0.0", "-0.0", "\"\"", "[]", "{}", "1e-400"}) {
    CHECK_FALSE_MESSAGE(parsed(text).truthy(), text);
  }
  for (const auto* text :
       {"true", "1", "-1", "0.1", "NaN", "\"False\"", "\"0\"", "[0]", "{\"\":0}"}) {
    CHECK_MESSAGE(parsed(text).truthy(), text);
  }
}

TEST_CASE("every kind has a name for messages") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"null", "null"},     {"true", "a boolean"}, {"1", "an integer"}, {"1.0", "a number"},
      {"\"\"", "a string"}, {"[]", "a list"},      {"{}", "an object"}};
  for (const auto& [text, name] : cases) CHECK(parsed(text).kind_name() == name);
}
