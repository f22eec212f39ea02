#include "logs/prefix.h"

#include <doctest/doctest.h>

using namespace trainit;
using logs::render_prefix;

namespace {

const logs::PrefixValues kValues{12, 4, "algo-2", "stderr"};

}  // namespace

TEST_CASE("a prefix says what its format asks for") {
  CHECK(render_prefix("[rank {rank}] ", kValues) == "[rank 12] ");
  CHECK(render_prefix("{host}/{local_rank}/{stream}: ", kValues) == "algo-2/4/stderr: ");
  CHECK(render_prefix("{{{rank}}", kValues) == "{12}");
  CHECK(render_prefix("", kValues) == "");
}

TEST_CASE("what a prefix cannot hold is named") {
  CHECK(
      render_prefix("{pid}", kValues).error().message ==
      "a prefix can hold {rank}, {local_rank}, {host} and {stream}, but not {pid}; write {{ for a "
      "brace");
  CHECK(render_prefix("[{rank", kValues).error().message == "a prefix has a '{' without its '}'");
  CHECK(render_prefix("{rank}\n", kValues).error().message ==
        "a prefix cannot hold an end of line");
}
