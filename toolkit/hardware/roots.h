#pragma once

#include <string>

namespace trainit::hardware {

/// Where the kernel's file systems are. Tests put trees of their own there.
struct SystemRoots {
  std::string proc = "/proc", sys = "/sys", dev = "/dev";
};

}  // namespace trainit::hardware
