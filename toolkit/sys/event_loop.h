#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

#include "sys/unique_fd.h"
#include "trainit/result.h"

namespace trainit::sys {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

inline double in_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// One thread's wait for descriptors and points in time. Callbacks may watch, unwatch, set and
/// cancel anything, their own entry too: what was removed is never called again, and is destroyed
/// only after the round of dispatch that removed it.
class EventLoop {
 public:
  using Ready =
      std::function<void(std::uint32_t events)>;  ///< EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR
  using Timeout = std::function<void()>;
  using TimerId = std::uint64_t;

  static Result<EventLoop> create();

  /// Calls `ready` whenever one of `events` (level-triggered) holds for `fd`, which stays the
  /// caller's and is unwatched before it is closed. Fails for what epoll cannot wait for (regular
  /// files).
  Result<void> watch(BorrowedFd fd, std::uint32_t events, Ready ready);
  /// Waits for other events from now on; 0 pauses (hang-ups are then not reported either). Error:
  /// the kernel refuses, for want of memory or watches, and all stays as it was. What is not
  /// watched stays so.
  Result<void> change(BorrowedFd fd, std::uint32_t events);
  void unwatch(BorrowedFd fd);

  TimerId at(TimePoint when, Timeout timeout);
  TimerId after(Duration delay, Timeout timeout) {
    return at(Clock::now() + delay, std::move(timeout));
  }
  void cancel(TimerId timer);

  /// Waits for the next descriptor or timer and dispatches all that is ready; returns at once after
  /// it.
  void run_once();
  /// The same, but waits no longer than this.
  void run_once(Duration most) {
    const TimerId timer = after(most, [] {});
    run_once();
    cancel(timer);
  }

 private:
  struct Watch {
    Ready ready;
    std::uint32_t events = 0;
    bool removed = false;
  };

  explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}
  int milliseconds_to_next_timer() const;
  void run_timers();

  UniqueFd epoll_;
  std::unordered_map<int, std::shared_ptr<Watch>> watches_;
  std::multimap<TimePoint, std::pair<TimerId, Timeout>> timers_;
  TimerId next_timer_ = 1;
};

}  // namespace trainit::sys
