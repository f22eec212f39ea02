#include "report/people.h"

#include <doctest/doctest.h>

using namespace trainit::report;

TEST_CASE("what a terminal would obey is shown instead") {
  CHECK(visible("a\x1b[31mred\x07\tb") == "a\\x1b[31mred\\x07\tb");
  CHECK(visible("a\nb") == "a\\nb");
  CHECK(visible("a\nb", true) == "a\nb");
  CHECK(visible("ä😀") == "ä😀");
  CHECK(visible("\xc2\x9b"
                "1m") == "\\x9b1m");
  CHECK(visible("\xff\x7f") == "\\xff\\x7f");
}

TEST_CASE("a command can be typed again") {
  CHECK(command_text({"python3", "/a/b.py", "--rate=0.1"}) == "python3 /a/b.py --rate=0.1");
  CHECK(command_text({"echo", "", "two words", "it's", "$x", "*"}) ==
        "echo '' 'two words' 'it'\\''s' '$x' '*'");
  CHECK(command_text({"a\nb"}) == "'a\\nb'");
}

TEST_CASE("a block keeps its end, and says that there was more") {
  using Lines = std::vector<std::string>;
  CHECK(block_of("a\nb\n\nc\n\n", "  ") == Lines{"  a", "  b", "", "  c"});
  CHECK(block_of("a\nb\nc", "> ", 2) == Lines{"> …", "> b", "> c"});
  CHECK(block_of("a\nb", "> ", 2) == Lines{"> a", "> b"});
  CHECK(block_of("x\r\x1b[K", "") == Lines{"x\\x0d\\x1b[K"});
}

TEST_CASE("moments show milliseconds, minutes and hours") {
  struct Row {
    double seconds;
    const char* text;
  };
  const Row rows[] = {{0, "0.000 s"},        {2.3714, "2.371 s"},  {59.9994, "59.999 s"},
                      {59.9996, "1:00.000"}, {372.5, "6:12.500"},  {7500, "2:05:00.000"},
                      {-0.25, "-0.250 s"},   {-0.0001, "0.000 s"}, {-61, "-1:01.000"},
                      {1e300, "?"}};
  for (const Row& row : rows) CHECK(moment_text(row.seconds) == row.text);
}

TEST_CASE("dates are in UTC") {
  CHECK(date_text(0) == "1970-01-01 00:00:00 UTC");
  CHECK(date_text(1700000000.9) == "2023-11-14 22:13:20 UTC");
  CHECK(date_text(1709164800) == "2024-02-29 00:00:00 UTC");
  CHECK(date_text(1e300) == "?");
}
