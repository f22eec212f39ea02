#include "sys/cgroup.h"

#include <doctest/doctest.h>

#include "temporary_directory.h"

using namespace trainit::sys;
using Directories = std::vector<std::string>;

namespace {

/// A /proc whose process is in `groups`, with the lines of `mounts`, in which "@" is the directory.
class Fixture {
 public:
  Fixture(std::string_view groups, std::string mounts) {
    for (std::size_t at; (at = mounts.find('@')) != std::string::npos;)
      mounts.replace(at, 1, root_.path);
    root_.write("proc/self/cgroup", groups);
    root_.write("proc/self/mountinfo", mounts);
  }
  void make(const std::string& directory) { REQUIRE(make_directories(root_ / directory)); }
  std::string operator/(std::string_view name) const { return root_ / name; }
  void write(const std::string& file, std::string_view content) { root_.write(file, content); }
  std::optional<std::int64_t> oom_kills() const {
    return count_oom_kills(ControlGroups::of_process(root_ / "proc"));
  }
  Directories of(std::string_view controller) const {
    return ControlGroups::of_process(root_ / "proc").directories(controller);
  }

 private:
  TemporaryDirectory root_;
};

}  // namespace

TEST_CASE("in version 2 the group is followed from its own directory up to the mount point") {
  Fixture fixture("0::/system.slice/job\n", "31 23 0:28 / @/cgroup rw - cgroup2 cgroup2 rw\n");
  fixture.make("cgroup/system.slice/job");
  CHECK(fixture.of("cpu") == Directories{fixture / "cgroup/system.slice/job",
                                         fixture / "cgroup/system.slice", fixture / "cgroup"});
}

TEST_CASE("in version 1 the hierarchy that has the controller is the one") {
  Fixture fixture("4:memory:/a\n3:cpu,cpuacct:/b\n",
                  "32 31 0:29 / @/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
                  "35 31 0:32 / @/memory rw shared:3 - cgroup cgroup rw,memory\n");
  fixture.make("cpu/b");
  fixture.make("memory/a");
  CHECK(fixture.of("cpu") == Directories{fixture / "cpu/b", fixture / "cpu"});
  CHECK(fixture.of("memory") == Directories{fixture / "memory/a", fixture / "memory"});
  CHECK(fixture.of("pids").empty());
}

TEST_CASE("where both versions are mounted both count") {
  Fixture fixture("4:memory:/\n0::/\n",
                  "32 31 0:29 / @/memory rw - cgroup cgroup rw,memory\n"
                  "33 31 0:30 / @/unified rw - cgroup2 cgroup2 rw\n");
  CHECK(fixture.of("memory") == Directories{fixture / "memory", fixture / "unified"});
}

TEST_CASE("a container's mount that begins at its own group is its whole tree") {
  Fixture fixture("4:memory:/docker/1f3a/inner\n",
                  "32 31 0:29 /docker/1f3a @/memory ro - cgroup cgroup rw,memory\n");
  fixture.make("memory/inner");
  CHECK(fixture.of("memory") == Directories{fixture / "memory/inner", fixture / "memory"});
}

TEST_CASE("a group that the mount does not show leaves the mount point") {
  Fixture elsewhere("4:memory:/docker/1f3a\n",
                    "32 31 0:29 /docker/1f3 @/memory ro - cgroup cgroup rw,memory\n");
  CHECK(elsewhere.of("memory") == Directories{elsewhere / "memory"});
  Fixture outside("0::/../outside\n", "32 31 0:29 / @/cgroup ro - cgroup2 cgroup2 rw\n");
  CHECK(outside.of("memory") == Directories{outside / "cgroup"});
  Fixture missing("0::/host/name\n", "32 31 0:29 / @/cgroup ro - cgroup2 cgroup2 rw\n");
  CHECK(missing.of("memory") == Directories{missing / "cgroup"});
}

TEST_CASE("white space in a mount point is read back") {
  Fixture fixture("0::/\n", "32 31 0:29 / @/my\\040groups rw - cgroup2 cgroup2 rw\n");
  CHECK(fixture.of("cpu") == Directories{fixture / "my groups"});
}

TEST_CASE("without control groups, or without /proc, there are no directories") {
  Fixture fixture("", "25 24 0:23 / /dev/shm rw - tmpfs tmpfs rw\n36 25 broken line\n");
  CHECK(fixture.of("cpu").empty());
  CHECK(ControlGroups::of_process(fixture / "nowhere").directories("cpu").empty());
}

TEST_CASE("the kernel's count of out-of-memory kills is that of the process's own group") {
  Fixture fixture("0::/job\n", "31 23 0:28 / @/cgroup rw - cgroup2 cgroup2 rw\n");
  fixture.make("cgroup/job");
  CHECK_FALSE(fixture.oom_kills());
  fixture.write("cgroup/memory.events", "low 0\noom 7\noom_kill 7\n");
  CHECK(fixture.oom_kills() == 7);  // where the own group has none, the next one has
  fixture.write("cgroup/job/memory.events",
                "low 0\nhigh 0\nmax 5\noom 4\noom_kill 3\noom_group_kill 1\n");
  CHECK(fixture.oom_kills() == 3);
}

TEST_CASE("version 1 counts out-of-memory kills in another file, and old kernels do not at all") {
  Fixture fixture("4:memory:/a\n", "35 31 0:32 / @/memory rw - cgroup cgroup rw,memory\n");
  fixture.make("memory/a");
  fixture.write("memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n");
  CHECK_FALSE(fixture.oom_kills());
  fixture.write("memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  CHECK(fixture.oom_kills() == 2);
}
