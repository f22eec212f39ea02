#include "hardware/neuron.h"

#include <doctest/doctest.h>

#include "machine.h"

using namespace trainit;
using namespace trainit::hardware;

namespace {

int count(const Machine& machine, int deadline_ms = 5000) {
  return count_neuron_cores(machine.environment(), deadline_ms, machine.roots());
}

}  // namespace

TEST_CASE("the cores of all Neuron devices are added up") {
  CHECK(sum_of_neuron_cores(R"([{"neuron_device": 0, "nc_count": 2}, {"nc_count": 2}])") == 4);
  CHECK(sum_of_neuron_cores("[]") == 0);
}

TEST_CASE("an answer that is no such JSON is no core, and no error") {
  CHECK(sum_of_neuron_cores("No neuron device found\n") == 0);
  CHECK(sum_of_neuron_cores(R"({"nc_count": 2})") == 0);
  CHECK(sum_of_neuron_cores(R"([{"nc_count": "2"}, {"nc_count": -5}, 7, {}])") == 0);
}

TEST_CASE("neuron-ls is asked when it is on the path") {
  const Machine machine;
  CHECK(count(machine) == 0);
  machine.install("neuron-ls", R"([ "$*" = -j ] && echo '[{"nc_count": 2}]')");
  CHECK(count(machine) == 2);
}

TEST_CASE("a neuron-ls that fails or hangs is no core") {
  const Machine machine;
  machine.write("dev/neuron0");
  CHECK(count(machine) == 0);
  machine.install("neuron-ls", "echo '[{\"nc_count\": 2}]'; exit 1");
  CHECK(count(machine) == 0);
  machine.install("neuron-ls", "exec sleep 1000");
  CHECK(count(machine, 100) == 0);
}
