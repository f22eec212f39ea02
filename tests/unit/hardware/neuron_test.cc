#include "hardware/neuron.h"

#include <doctest/doctest.h>

#include "machine.h"

using namespace trainit;
using namespace trainit::hardware;

namespace {

Result<int> count(const Machine& machine, int deadline_ms = 5000) {
  return count_neuron_cores(machine.environment(), deadline_ms, machine.roots());
}

}  // namespace

TEST_CASE("the cores of all Neuron devices are added up") {
  CHECK(sum_of_neuron_cores(R"([{"neuron_device": 0, "nc_count": 2}, {"nc_count": 2}])") == 4);
  CHECK(sum_of_neuron_cores("[]") == 0);
}

TEST_CASE("what other text stands before the list does not hide it") {
  CHECK(sum_of_neuron_cores("WARNING: the driver is old\n[{\"nc_count\": 2}]\n") == 2);
}

TEST_CASE("an answer that is no such JSON is none, and no core what is no count") {
  CHECK_FALSE(sum_of_neuron_cores("No neuron device found\n"));
  CHECK_FALSE(sum_of_neuron_cores(""));
  CHECK_FALSE(sum_of_neuron_cores("text\n[{"));
  CHECK_FALSE(sum_of_neuron_cores(R"({"nc_count": 2})"));
  CHECK(sum_of_neuron_cores(R"([{"nc_count": "2"}, {"nc_count": -5}, 7, {}])") == 0);
}

TEST_CASE("neuron-ls is asked when it is on the path") {
  const Machine machine;
  CHECK(count(machine) == 0);
  machine.install("neuron-ls", R"([ "$*" = -j ] && echo '[{"nc_count": 2}]')");
  CHECK(count(machine) == 2);
}

TEST_CASE("a neuron-ls that fails or hangs where there is a device is said") {
  const Machine machine;
  machine.write("dev/neuron0");
  const auto reason = [&](int deadline_ms = 5000) {
    const Result<int> cores = count(machine, deadline_ms);
    return cores ? "none" : cores.error().message;
  };
  CHECK(reason().starts_with("/dev/neuron0 is there, but neuron-ls does not tell its cores ("));
  machine.install("neuron-ls", "echo '[{\"nc_count\": 2}]'; exit 1");
  CHECK(reason().find("1") != std::string::npos);
  machine.install("neuron-ls", "exec sleep 1000");
  CHECK(reason(100).ends_with("assuming none"));
  machine.install("neuron-ls", "echo nothing");
  CHECK(reason().find("its answer is no list in JSON") != std::string::npos);
}

TEST_CASE("a neuron-ls that fails where there is no device is what every such image shows") {
  const Machine machine;
  machine.install("neuron-ls", "echo 'no device'; exit 1");
  CHECK(count(machine) == 0);
}
