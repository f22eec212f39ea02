#include "base/python_text.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace trainit;

namespace {

Json parsed(std::string_view text) {
  const Result<Json> value = Json::parse(text);
  REQUIRE_MESSAGE(value.has_value(), text);
  return *value;
}

}  // namespace

TEST_CASE("a decoded hyperparameter reads as Python's str and as compact JSON") {
  struct Case {
    std::string_view text, str, json;
  };
  const Case cases[] = {
      {"256", "256", "256"},
      {"0.0010", "0.001", "0.001"},
      {"1e-5", "1e-05", "1e-05"},
      {"1e16", "1e+16", "1e+16"},
      {"NaN", "nan", "NaN"},
      {"true", "True", "true"},
      {"false", "False", "false"},
      {"null", "None", "null"},
      {R"([1, "a", null])", "[1, 'a', None]", R"([1,"a",null])"},
      {R"({"b": 2, "a": [1]})", "{'b': 2, 'a': [1]}", R"({"a":[1],"b":2})"},
      {R"("\u00a1\u00f8")", "¡ø", R"("\u00a1\u00f8")"},
      {"-0", "0", "0"},
      {"-0.0", "-0.0", "-0.0"},
      {"1e15", "1000000000000000.0", "1000000000000000.0"},
      {"123456789012345680.0", "1.2345678901234568e+17", "1.2345678901234568e+17"},
      {"123456789012345678901234567890", "123456789012345678901234567890",
       "123456789012345678901234567890"},
      {"9007199254740993.0", "9007199254740992.0", "9007199254740992.0"},
      {"1e400", "inf", "Infinity"},
      {"-Infinity", "-inf", "-Infinity"},
      {" 5 ", "5", "5"},
      {" \"q\" ", "q", "\"q\""},
      {R"("\"q\"")", "\"q\"", R"("\"q\"")"},
      {R"(["it's", "a\"b"])", R"(["it's", 'a"b'])", R"(["it's","a\"b"])"},
      {R"(["both ' and \""])", R"(['both \' and "'])", R"(["both ' and \""])"},
      {R"(["\n\t\u0001\u00a0\u200b\u00e9\ud83d\ude00\ud800"])", R"(['\n\t\x01\xa0\u200bé😀\ud800'])",
       R"(["\n\t\u0001\u00a0\u200b\u00e9\ud83d\ude00\ud800"])"},
      {R"({"k": null, "t": true, "s": "x y", "f": 1e-7})",
       "{'k': None, 't': True, 's': 'x y', 'f': 1e-07}",
       R"({"f":1e-07,"k":null,"s":"x y","t":true})"},
      {"[]", "[]", "[]"},
      {"{}", "{}", "{}"},
      {R"(["1",["2","3",[["6"]]]])", "['1', ['2', '3', [['6']]]]", R"(["1",["2","3",[["6"]]]])"},
  };
  for (const Case& each : cases) {
    CHECK(python::str(parsed(each.text)) == each.str);
    CHECK(dump_json(parsed(each.text)) == each.json);
  }
}

TEST_CASE("repr puts a string into quotes, and str does not") {
  CHECK(python::repr(Json("it's")) == "\"it's\"");
  CHECK(python::repr(Json("a\\b")) == R"('a\\b')");
  CHECK(python::repr(Json("")) == "''");
  CHECK(python::str(Json("it's")) == "it's");
}

TEST_CASE("what Python cannot print is escaped by the size of its code point") {
  CHECK(python::repr(Json("\x7F\u0085\u00AD\u2028\U000E0001\U0010FFFF")) ==
        R"('\x7f\x85\xad\u2028\U000e0001\U0010ffff')");
  CHECK(python::repr(Json("\xFF")) == R"('\udcff')");
  CHECK(python::repr(Json("é 中\u0378")) == "'é 中\\u0378'");
}

TEST_CASE("a float has Python's shortest form") {
  CHECK(python::repr(0.1) == "0.1");
  CHECK(python::repr(1.0) == "1.0");
  CHECK(python::repr(0.0001) == "0.0001");
  CHECK(python::repr(0.00001) == "1e-05");
  CHECK(python::repr(1e22) == "1e+22");
  CHECK(python::repr(1.5e300) == "1.5e+300");
  CHECK(python::repr(5e-324) == "5e-324");
  CHECK(python::repr(std::numeric_limits<double>::max()) == "1.7976931348623157e+308");
  CHECK(python::repr(-HUGE_VAL) == "-inf");
  CHECK(python::repr(std::copysign(std::nan(""), -1)) == "nan");
}

TEST_CASE("upper case is Unicode's, where one character may become several") {
  CHECK(python::upper("lr-x.1 a/b") == "LR-X.1 A/B");
  CHECK(python::upper("größe") == "GRÖSSE");
  CHECK(python::upper("ß") == "SS");
  CHECK(python::upper("ﬁ") == "FI");
  CHECK(python::upper("ŉ") == "ʼN");
  CHECK(python::upper("µ") == "Μ");
  CHECK(python::upper("ÿ") == "Ÿ");
  CHECK(python::upper("σς") == "ΣΣ");
  CHECK(python::upper("\u0390") == "\u0399\u0308\u0301");
  CHECK(python::upper("𐐨") == "𐐀");
  CHECK(python::upper("\xFF\xED\xA0\x80z") == "\xFF\xED\xA0\x80Z");
  CHECK(python::upper("") == "");
}
