#include "hardware/cpus.h"

#include <doctest/doctest.h>
#include <sched.h>

#include "machine.h"

using namespace trainit;
using namespace trainit::hardware;
using Numbers = std::vector<int>;

namespace {

Cpus detect(const Machine& machine) { return detect_cpus(machine.roots(), machine.groups()); }

}  // namespace

TEST_CASE("a list of CPUs is read as the kernel writes it") {
  CHECK(parse_cpu_list("0-3,8,10-11\n") == Numbers{0, 1, 2, 3, 8, 10, 11});
  CHECK(parse_cpu_list("5") == Numbers{5});
  CHECK(parse_cpu_list("").empty());
  CHECK(parse_cpu_list("0-1,what") == Numbers{0, 1});
  CHECK(parse_cpu_list("0-99999999").empty());
}

TEST_CASE("the affinity is the one that the kernel keeps for this process") {
  cpu_set_t before, one;
  REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  const Numbers all = cpus_of_affinity();
  CHECK(static_cast<int>(all.size()) == CPU_COUNT(&before));
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(all.back()), &one);
  REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(cpus_of_affinity() == Numbers{all.back()});
  CHECK(detect_cpus({}, sys::ControlGroups()).affinity == 1);
  REQUIRE(::sched_setaffinity(0, sizeof before, &before) == 0);
}

TEST_CASE("the smallest quota on the way up is the one that counts") {
  const Machine machine;
  machine.write("sys/devices/system/cpu/online", "0-47\n");
  machine.join_group("cpu.max", "max 100000\n", "4650000 100000\n");
  const Cpus cpus = detect(machine);
  CHECK(cpus.online == 48);
  CHECK(cpus.quota == doctest::Approx(46.5));
  machine.join_group("cpu.max", "150000 100000\n", "4650000 100000\n");
  CHECK(detect(machine).quota == doctest::Approx(1.5));
}

TEST_CASE("a quota of version 1 counts too, and -1 is none") {
  const Machine machine;
  machine.write("proc/self/cgroup", "3:cpu,cpuacct:/\n");
  machine.write("proc/self/mountinfo",
                "31 23 0:28 / " + (machine / "group") + " rw - cgroup cgroup rw,cpu,cpuacct\n");
  machine.write("group/cpu.cfs_period_us", "50000\n");
  machine.write("group/cpu.cfs_quota_us", "-1\n");
  CHECK(detect(machine).quota == 0);
  machine.write("group/cpu.cfs_quota_us", "125000\n");
  CHECK(detect(machine).quota == doctest::Approx(2.5));
}

TEST_CASE("without /proc and /sys the affinity is all that is known") {
  const Machine machine;
  const Cpus cpus = detect(machine);
  CHECK(cpus.quota == 0);
  CHECK(cpus.affinity == static_cast<int>(cpus_of_affinity().size()));
  CHECK(cpus.online == cpus.affinity);
}

TEST_CASE("usable CPUs are the affinity within the quota, rounded down, and one at least") {
  CHECK(Cpus{48, 48, 0}.usable() == 48);
  CHECK(Cpus{48, 4, 46.5}.usable() == 4);
  CHECK(Cpus{48, 48, 46.5}.usable() == 46);
  CHECK(Cpus{48, 48, 0.5}.usable() == 1);
}
