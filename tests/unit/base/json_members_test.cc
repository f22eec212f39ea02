#include "base/json_members.h"

#include <doctest/doctest.h>

using namespace trainit;

TEST_CASE("a member is read as what is asked for, or it is nothing") {
  const Json object = *Json::parse(R"({"a": "text", "b": 3, "c": 0.5, "d": true, "e": []})");
  CHECK(text_of(object, "a") == "text");
  CHECK(integer_of(object, "b") == 3);
  CHECK(number_of(object, "b") == 3.0);
  CHECK(number_of(object, "c") == 0.5);
  CHECK(flag_of(object, "d"));
  for (const char* name : {"e", "none"}) {
    CAPTURE(name);
    CHECK(text_of(object, name).empty());
    CHECK_FALSE(integer_of(object, name));
    CHECK_FALSE(number_of(object, name));
    CHECK_FALSE(flag_of(object, name));
  }
  CHECK_FALSE(integer_of(object, "c"));
  CHECK(text_of(Json("no object"), "a").empty());
}

TEST_CASE("a text for a line is made to fit on it") {
  const Json object = *Json::parse(R"({"a": "two\nlines", "b": "a\u00f6"})");
  CHECK(line_of(object, "a", 5).find('\n') == std::string::npos);
  CHECK(line_of(object, "b", 2) == "a");
}
