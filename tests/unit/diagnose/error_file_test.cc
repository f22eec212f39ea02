#include <doctest/doctest.h>

#include "diagnose/error_text.h"

using namespace trainit::diagnose;

TEST_CASE("an error file of torch-elastic's recorder gives the exception and its place") {
  const auto error = read_error_file(
      R"({"message": {"message": "ValueError: loss is nan", "extraInfo": {"py_callstack":
      "Traceback (most recent call last):\n  File \"/opt/ml/code/train.py\", line 42, in step\n    raise ValueError('loss is nan')\nValueError: loss is nan\n",
      "timestamp": "1700000000"}, "errorCode": 1}})");
  REQUIRE(error);
  CHECK(error->summary == "ValueError: loss is nan");
  CHECK(error->location == "train.py:42");
  CHECK(error->detail.starts_with("Traceback"));
  CHECK_FALSE(error->communication);
}

TEST_CASE("an error file with a plain message gives its first line") {
  const auto error =
      read_error_file(R"({"message": "RuntimeError: Broken pipe\nmore", "timestamp": 1700000000})");
  REQUIRE(error);
  CHECK(error->summary == "RuntimeError: Broken pipe");
  CHECK(error->detail == "RuntimeError: Broken pipe\nmore");
  CHECK(error->communication);
}

TEST_CASE("a message of torch-elastic without a call stack still counts") {
  const auto error =
      read_error_file(R"({"message": {"message": "boo", "extraInfo": {"timestamp": "1"}}})");
  REQUIRE(error);
  CHECK(error->summary == "boo");
}

TEST_CASE("a file of another shape, or half of one, is no error file") {
  for (const char* text :
       {"", "{", "[]", "3", "{}", R"({"message": 3})", R"({"message": {}})", R"({"message": "  "})",
        R"({"message": {"message": {"message": "x"}}})", R"({"message": {"message": "x")"}) {
    CAPTURE(text);
    CHECK_FALSE(read_error_file(text));
  }
}
