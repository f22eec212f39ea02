#pragma once

#include <doctest/doctest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <string>

#include "sys/files.h"

/// While one of these lives, the kernel refuses to watch a descriptor that is not watched, as it
/// does for want of memory: the test's one event loop has it already, behind its back.
class RefusedWatch {
 public:
  explicit RefusedWatch(int fd) : fd_(fd), epoll_(find_epoll()) {
    epoll_event event = {};
    event.data.fd = -1;
    REQUIRE(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd_, &event) == 0);
  }
  RefusedWatch(const RefusedWatch&) = delete;
  RefusedWatch& operator=(const RefusedWatch&) = delete;
  ~RefusedWatch() { ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd_, nullptr); }

 private:
  static int find_epoll() {
    const std::string descriptors = "/proc/self/fd";
    const auto names = trainit::sys::list_directory(descriptors).value();
    for (const std::string& name : names) {
      char target[PATH_MAX] = {};
      const std::string link = descriptors + "/" + name;
      if (::readlink(link.c_str(), target, sizeof target - 1) > 0 &&
          std::string(target) == "anon_inode:[eventpoll]")
        return std::stoi(name);
    }
    FAIL("there is no event loop");
    return -1;
  }

  int fd_, epoll_;
};
