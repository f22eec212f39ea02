#include "base/text.h"

#include <doctest/doctest.h>

#include <limits>

using namespace trainit;

TEST_CASE("split gives at least one piece and keeps empty ones") {
  CHECK(split("", ',') == std::vector<std::string_view>{""});
  CHECK(split("a,,b", ',') == std::vector<std::string_view>{"a", "", "b"});
}

TEST_CASE("control characters are shown as what they are, and everything else stays") {
  CHECK(escape_controls(std::string_view("a\nb\r\0c\x1b[2J\x7f", 11)) ==
        "a\\nb\\x0d\\x00c\\x1b[2J\\x7f");
  CHECK(escape_controls("\xc2\x9b"
                        "2J") == "\\x9b2J");
  CHECK(escape_controls("a\tb \\ \"ö\" – 😀 \xff\x9b") == "a\tb \\ \"ö\" – 😀 \\xff\\x9b");
  CHECK(escape_controls("a\nb\r\n", true) == "a\nb\\x0d\n");
  CHECK(escape_controls("").empty());
}

TEST_CASE("a number is the whole text or none") {
  CHECK(parse_number<int>("42") == 42);
  CHECK(parse_number<int>("-1") == -1);
  CHECK_FALSE(parse_number<int>("42x"));
  CHECK_FALSE(parse_number<int>(""));
  CHECK_FALSE(parse_number<int>("99999999999"));
}

TEST_CASE("durations and sizes read as people say them") {
  CHECK(human_seconds(0.44) == "0.4 s");
  CHECK(human_seconds(48.2) == "48 s");
  CHECK(human_seconds(300) == "5 min");
  CHECK(human_seconds(372) == "6 min 12 s");
  CHECK(human_seconds(7200) == "2 h");
  CHECK(human_seconds(7500) == "2 h 5 min");
  CHECK(human_bytes(512) == "512 bytes");
  CHECK(human_bytes(std::uint64_t{4} << 30) == "4.0 GB");
  CHECK(human_bytes(350 << 20) == "350 MB");
}

TEST_CASE("no number is none at all") {
  CHECK(parse_number<double>("1.5") == 1.5);
  CHECK_FALSE(parse_number<double>("nan"));
  CHECK_FALSE(parse_number<double>("inf"));
  CHECK_FALSE(parse_number<double>("1e400"));
}

TEST_CASE("a float beyond the range is infinite or zero, by its size and not by its spelling") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  CHECK(parse_float("-2.5e3") == -2500);
  CHECK(parse_float("1e400") == kInfinity);
  CHECK(parse_float("-1e+400") == -kInfinity);
  CHECK(parse_float("1e-400") == 0);
  CHECK(parse_float("1e99999999999999999999") == kInfinity);
  CHECK(parse_float("1e-99999999999999999999") == 0);
  CHECK(parse_float("10e9223372036854775807") == kInfinity);
  CHECK(parse_float("0.01e-9223372036854775808") == 0);
  CHECK(parse_float("0e99999999999999999999") == 0);
  CHECK(parse_float("0." + std::string(800, '0') + "1e+400") == 0);
  CHECK(parse_float("1" + std::string(800, '0') + "e-400") == kInfinity);
  CHECK_FALSE(parse_float("nan"));
  CHECK_FALSE(parse_float("-inf"));
  CHECK_FALSE(parse_float("1 "));
  CHECK_FALSE(parse_float(""));
}

TEST_CASE("a figure that rounds up takes the next unit") {
  CHECK(human_bytes((1 << 20) - 1) == "1 MB");
  CHECK(human_seconds(9.97) == "10 s");
}

TEST_CASE("ASCII letters have no case where that is asked for") {
  CHECK(to_lower_ascii("NO_Proxy É") == "no_proxy É");
  CHECK(equals_ignoring_case("TRUE", "true"));
  CHECK_FALSE(equals_ignoring_case("true", "truer"));
}

TEST_CASE("trim takes space and line ends at both ends only") {
  CHECK(trim(" \t a b\r\n") == "a b");
  CHECK(trim(" \n") == "");
}

TEST_CASE("join puts the separator between parts") {
  CHECK(join({}, ", ") == "");
  CHECK(join({"a", "", "b"}, ", ") == "a, , b");
}

TEST_CASE("ranks are named one by one, but three in a row as a range") {
  CHECK(name_ranks({3}) == "rank 3");
  CHECK(name_ranks({0, 1}) == "ranks 0 and 1");
  CHECK(name_ranks({5, 9}) == "ranks 5 and 9");
  CHECK(name_ranks({0, 1, 2}) == "ranks 0–2");
  CHECK(name_ranks({0, 1, 2, 5}) == "ranks 0–2 and 5");
  CHECK(name_ranks({0, 2, 3, 7}) == "ranks 0, 2, 3 and 7");
  CHECK(name_ranks({0, 1, 2, 4, 6, 7, 8, 9}) == "ranks 0–2, 4 and 6–9");
  CHECK(name_ranks({0, 1, 2, 3, 10, 11, 12}) == "ranks 0–3 and 10–12");
}
