#include "hardware/network.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "machine.h"

using namespace trainit;
using namespace trainit::hardware;

TEST_CASE("the kernel names the loopback interface") {
  const auto interfaces = interfaces_of_kernel();
  const auto loopback = std::find_if(interfaces.begin(), interfaces.end(),
                                     [](const auto& i) { return i.name == "lo"; });
  REQUIRE(loopback != interfaces.end());
  CHECK(loopback->loopback);
}

TEST_CASE("interfaces are read from /sys with their flags") {
  const Machine machine;
  machine.write("sys/class/net/eth0/flags", "0x1003\n");
  machine.write("sys/class/net/eth1/flags", "0x1002\n");
  machine.write("sys/class/net/lo/flags", "0x9\n");
  machine.write("sys/class/net/bonding_masters", "\n");
  const auto interfaces = interfaces_of_sysfs(machine.roots());
  REQUIRE(interfaces.size() == 3);
  CHECK((interfaces[0].name == "eth0" && interfaces[0].up && !interfaces[0].loopback));
  CHECK((interfaces[1].name == "eth1" && !interfaces[1].up));
  CHECK((interfaces[2].name == "lo" && interfaces[2].up && interfaces[2].loopback));
  CHECK(interfaces_of_sysfs(Machine().roots()).empty());
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
