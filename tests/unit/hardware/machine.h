#pragma once

#include "hardware/roots.h"
#include "sys/cgroup.h"
#include "temporary_directory.h"
#include "trainit/environment.h"

/// A machine of a test's own: its /proc, /sys and /dev are directories, empty at first.
class Machine {
 public:
  Machine() {
    for (const char* root : {"proc", "sys", "dev"})
      REQUIRE(trainit::sys::make_directories(directory_ / root));
  }

  trainit::hardware::SystemRoots roots() const {
    return {directory_ / "proc", directory_ / "sys", directory_ / "dev"};
  }
  trainit::sys::ControlGroups groups() const {
    return trainit::sys::ControlGroups::of_process(directory_ / "proc");
  }
  /// A file, by its path from the root ("dev/nvidia0").
  std::string write(std::string_view name, std::string_view content = "") const {
    return directory_.write(name, content);
  }
  void make(std::string_view name) const {
    REQUIRE(trainit::sys::make_directories(directory_ / name));
  }
  std::string operator/(std::string_view name) const { return directory_ / name; }

  /// A program on its PATH, as a shell script.
  void install(std::string_view name, std::string_view script) const {
    make("bin");
    write_file(directory_ / "bin/" + std::string(name), "#!/bin/sh\n" + std::string(script) + "\n",
               0755);
  }
  /// PATH is what was installed, and what scripts need.
  trainit::Environment environment() const {
    trainit::Environment environment;
    environment.set("PATH", directory_ / "bin" + ":/usr/bin:/bin", "test");
    return environment;
  }

  /// A control group of version 2 that this process is in, with a parent.
  void join_group(std::string_view file, std::string_view own, std::string_view of_parent) const {
    write("proc/self/cgroup", "0::/parent/own\n");
    write("proc/self/mountinfo",
          "31 23 0:28 / " + directory_.path + "/cgroup rw - cgroup2 cgroup2 rw\n");
    write("cgroup/parent/own/" + std::string(file), own);
    write("cgroup/parent/" + std::string(file), of_parent);
  }

 private:
  TemporaryDirectory directory_;
};
