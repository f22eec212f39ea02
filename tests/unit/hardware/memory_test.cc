#include "hardware/memory.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include "machine.h"

using namespace trainit;
using namespace trainit::hardware;

namespace {

std::uint64_t limit(const Machine& machine) { return memory_limit(machine.groups()); }

}  // namespace

TEST_CASE("the machine's memory is MemTotal, in bytes") {
  const Machine machine;
  CHECK(total_memory(machine.roots()) == 0);
  machine.write("proc/meminfo", "MemFree:  1 kB\nMemTotal:       24684092 kB\n");
  CHECK(total_memory(machine.roots()) == 24684092ULL * 1024);
  machine.write("proc/meminfo", "MemTotal: lots\n");
  CHECK(total_memory(machine.roots()) == 0);
}

TEST_CASE("the smallest memory limit on the way up is the one that counts") {
  const Machine machine;
  CHECK(limit(machine) == 0);
  machine.join_group("memory.max", "max\n", "2147483648\n");
  CHECK(limit(machine) == 2147483648ULL);
  machine.join_group("memory.max", "1073741824\n", "2147483648\n");
  CHECK(limit(machine) == 1073741824ULL);
}

TEST_CASE("the huge number that version 1 writes for no limit is none") {
  const Machine machine;
  machine.write("proc/self/cgroup", "4:memory:/\n");
  machine.write("proc/self/mountinfo",
                "31 23 0:28 / " + (machine / "group") + " rw - cgroup cgroup rw,memory\n");
  machine.write("group/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(limit(machine) == 0);
  machine.write("group/memory.limit_in_bytes", "536870912\n");
  CHECK(limit(machine) == 536870912ULL);
}

TEST_CASE("/dev/shm has the size of its file system, and none where it is not") {
  const Machine machine;
  CHECK(shared_memory_size(machine.roots()) == 0);
  machine.make("dev/shm");
  CHECK(shared_memory_size(machine.roots()) > 0);
}

TEST_CASE("the limit of open files is the soft one") {
  rlimit before = {};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit lower = {before.rlim_cur - 1, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &lower) == 0);
  CHECK(open_files_limit() == before.rlim_cur - 1);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}
