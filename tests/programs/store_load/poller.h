// Waits for many connections.
#pragma once

#include <sys/epoll.h>

#include <array>

#include "server.h"

namespace store_load {

class Poller {
 public:
  Poller() { need(fd_ >= 0, "epoll"); }

  void watch(int fd, std::size_t index, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = index;
    need(epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
  }

  // Calls visit(index) for each that is ready, and gives their number.
  template <typename Visit>
  int visit_ready(int timeout_ms, Visit visit) {
    const int count = epoll_wait(fd_, events_.data(), static_cast<int>(events_.size()), timeout_ms);
    need(count >= 0, "epoll_wait");
    if (count == 0 && timeout_ms == kSilenceMs) fail("no answer");
    for (int i = 0; i < count; ++i) visit(events_[static_cast<std::size_t>(i)].data.u64);
    return count;
  }

 private:
  int fd_ = epoll_create1(EPOLL_CLOEXEC);
  std::array<epoll_event, 1024> events_;
};

}  // namespace store_load
