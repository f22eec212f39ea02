#include "hardware/numa.h"

#include <doctest/doctest.h>

#include <string>

#include "hardware/cpus.h"
#include "machine.h"

using namespace trainit::hardware;

TEST_CASE("a node's CPUs are those of them that this process may use") {
  const Machine machine;
  const int ours = cpus_of_affinity().back();
  machine.write("sys/devices/system/node/node1/cpulist", std::to_string(ours) + ",1000-1023\n");
  const auto cpus = cpus_of_numa_node(1, machine.roots());
  REQUIRE(cpus);
  CHECK(CPU_COUNT(&*cpus) == 1);
  CHECK(CPU_ISSET(static_cast<std::size_t>(ours), &*cpus));
}

TEST_CASE("a node that is unknown, or none of whose CPUs is ours, is nothing to bind to") {
  const Machine machine;
  CHECK_FALSE(cpus_of_numa_node(-1, machine.roots()));
  CHECK_FALSE(cpus_of_numa_node(0, machine.roots()));
  machine.write("sys/devices/system/node/node0/cpulist", "1000-1023\n");
  CHECK_FALSE(cpus_of_numa_node(0, machine.roots()));
}

TEST_CASE("the node of a PCI device is what the kernel says") {
  const Machine machine;
  CHECK(numa_node_of_pci("0000:1b:00.0", machine.roots()) == -1);
  machine.write("sys/bus/pci/devices/0000:1b:00.0/numa_node", "1\n");
  CHECK(numa_node_of_pci("0000:1b:00.0", machine.roots()) == 1);
  CHECK(numa_node_of_pci("", machine.roots()) == -1);
}
