#include "hardware/network.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "machine.h"

using namespace trainit;
using namespace trainit::hardware;

TEST_CASE("/proc and the kernel name the same interfaces, and the kernel knows their flags") {
  auto names = interface_names_of_kernel();
  std::sort(names.begin(), names.end());
  std::vector<std::string> found;
  for (const NetworkInterface& interface : network_interfaces()) found.push_back(interface.name);
  CHECK(found == names);
  const auto interfaces = network_interfaces();
  const auto loopback = std::find_if(interfaces.begin(), interfaces.end(),
                                     [](const auto& i) { return i.name == "lo"; });
  REQUIRE(loopback != interfaces.end());
  CHECK(loopback->loopback);
}

TEST_CASE("interfaces are read from /proc, in order of name") {
  const Machine machine;
  machine.write("proc/net/dev",
                "Inter-|   Receive                |  Transmit\n"
                " face |bytes    packets errs drop|bytes    packets errs drop\n"
                "    lo: 1110110    9960    0    0 1110110    9960    0    0\n"
                "  eth1:       0       0    0    0       0       0    0    0\n"
                "enp130s0f1np1:7 1    0    0     7       1    0    0\n");
  CHECK(interface_names_of_proc(machine.roots()) ==
        std::vector<std::string>{"lo", "eth1", "enp130s0f1np1"});
  const auto interfaces = network_interfaces(machine.roots());
  REQUIRE(interfaces.size() == 3);
  CHECK((interfaces[0].name == "enp130s0f1np1" && !interfaces[0].up));
  CHECK((interfaces[2].name == "lo" && interfaces[2].loopback));
}

TEST_CASE("without /proc the kernel is asked") {
  const auto interfaces = network_interfaces(Machine().roots());
  CHECK(interface_names_of_proc(Machine().roots()).empty());
  CHECK(std::any_of(interfaces.begin(), interfaces.end(),
                    [](const auto& i) { return i.name == "lo"; }));
}

TEST_CASE("an interface is known by its whole name") {
  Hardware hardware;
  hardware.interfaces = {{"eth0", true, false}};
  CHECK(hardware.has_interface("eth0"));
  CHECK_FALSE(hardware.has_interface("eth"));
}

TEST_CASE("only Amazon's RDMA devices are counted as fabric adapters") {
  const Machine machine;
  CHECK(count_efa_devices(machine.roots()) == 0);
  machine.write("sys/class/infiniband/rdmap0s6/device/vendor", "0x1d0f\n");
  machine.write("sys/class/infiniband/rdmap1s6/device/vendor", "0x1d0f\n");
  machine.write("sys/class/infiniband/mlx5_0/device/vendor", "0x15b3\n");
  CHECK(count_efa_devices(machine.roots()) == 2);
}
