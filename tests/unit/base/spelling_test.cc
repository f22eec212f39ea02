#include "base/spelling.h"

#include <doctest/doctest.h>

using namespace trainit;

namespace {

const std::vector<std::string> kNames = {"train", "env", "--workers", "--worker-store", "--user"};

}  // namespace

TEST_CASE("a slip of the fingers still tells which name was meant") {
  CHECK(nearest_name("trian", kNames) == "train");          // changed places
  CHECK(nearest_name("--worker", kNames) == "--workers");   // too few
  CHECK(nearest_name("envv", kNames) == "env");             // too many
  CHECK(nearest_name("--wurkerz", kNames) == "--workers");  // others
  CHECK(nearest_name("env", kNames) == "env");
}

TEST_CASE("what is too far from every name means none of them") {
  for (const char* name : {"", "python", "e", "nvx", "--", "brain2", "--wxyzqrs"}) {
    CAPTURE(name);
    CHECK_FALSE(nearest_name(name, kNames));
  }
  CHECK_FALSE(nearest_name("--bogus", {"--logs"}));
  CHECK_FALSE(nearest_name(std::string(100'000, 'x'), kNames));
  CHECK_FALSE(nearest_name("train", {}));
}

TEST_CASE("of several names the nearest counts, then the first") {
  CHECK(nearest_name("abcdef", {"abcxyf", "abcdxf", "abcdef"}) == "abcdef");
  CHECK(nearest_name("abcdef", {"abcdeX", "abcdeY"}) == "abcdeX");
}
