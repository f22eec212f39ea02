#include <doctest/doctest.h>

#include <cstdlib>

#include "base/text.h"
#include "simulated_host.h"

using namespace trainit;
using namespace trainit::supervise::testing;

namespace {

constexpr std::uint64_t kSeeds = 100'000;

/// A failing seed is lived through again with a trace.
void live_through(std::uint64_t seed) {
  const std::string problem = SimulatedHost(seed).run();
  if (problem.empty()) return;
  SimulatedHost again(seed, true);
  again.run();
  FAIL("seed " << seed << ": " << problem << "\n" << again.trace());
}

}  // namespace

TEST_CASE("whatever happens in whatever order, a job keeps its promises and ends") {
  if (const char* seed = std::getenv("TRAINIT_TEST_SEED")) {
    return live_through(parse_number<std::uint64_t>(seed).value());
  }
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) live_through(seed);
}
