#include "base/text.h"

#include <doctest/doctest.h>

using namespace trainit;

TEST_CASE("split gives at least one piece and keeps empty ones") {
  CHECK(split("", ',') == std::vector<std::string_view>{""});
  CHECK(split("a,,b", ',') == std::vector<std::string_view>{"a", "", "b"});
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
  CHECK(human_seconds(372) == "6 min 12 s");
  CHECK(human_seconds(7500) == "2 h 5 min");
  CHECK(human_bytes(512) == "512 bytes");
  CHECK(human_bytes(4.0 * (1 << 30)) == "4.0 GB");
  CHECK(human_bytes(350.0 * (1 << 20)) == "350 MB");
}
