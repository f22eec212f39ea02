#include "sys/event_loop.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::sys {
namespace {

constexpr int kEventsPerRound = 64;

}  // namespace

Result<EventLoop> EventLoop::create() {
  UniqueFd epoll(posix::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail("making an epoll instance: " + errno_text(errno));
  return EventLoop(std::move(epoll));
}

Result<void> EventLoop::watch(BorrowedFd fd, std::uint32_t events, Ready ready) {
  epoll_event event = {};
  event.events = events;
  event.data.fd = fd.get();
  if (posix::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) {
    return fail("watching a descriptor: " + errno_text(errno));
  }
  watches_[fd.get()] = std::make_shared<Watch>(Watch{std::move(ready), events});
  return {};
}

Result<void> EventLoop::change(BorrowedFd fd, std::uint32_t events) {
  const auto found = watches_.find(fd.get());
  if (found == watches_.end() || found->second->events == events) return {};
  epoll_event event = {};
  event.events = events;
  event.data.fd = fd.get();
  // Hang-ups are reported whatever is asked for, so a paused descriptor has to leave the set.
  const int operation = events == 0                  ? EPOLL_CTL_DEL
                        : found->second->events == 0 ? EPOLL_CTL_ADD
                                                     : EPOLL_CTL_MOD;
  if (posix::epoll_ctl(epoll_.get(), operation, fd.get(), &event) != 0)
    return fail("watching a descriptor: " + errno_text(errno));
  found->second->events = events;
  return {};
}

void EventLoop::unwatch(BorrowedFd fd) {
  const auto found = watches_.find(fd.get());
  if (found == watches_.end()) return;
  if (found->second->events != 0) posix::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
  found->second->removed = true;
  watches_.erase(found);
}

EventLoop::TimerId EventLoop::at(TimePoint when, Timeout timeout) {
  timers_.emplace(when, std::pair(next_timer_, std::move(timeout)));
  return next_timer_++;
}

void EventLoop::cancel(TimerId timer) {
  const auto found = std::find_if(timers_.begin(), timers_.end(),
                                  [&](const auto& entry) { return entry.second.first == timer; });
  if (found != timers_.end()) timers_.erase(found);
}

int EventLoop::milliseconds_to_next_timer() const {
  if (timers_.empty()) return -1;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
}

void EventLoop::run_timers() {
  const TimePoint now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const Timeout timeout = std::move(timers_.begin()->second.second);
    timers_.erase(timers_.begin());
    timeout();
  }
}

void EventLoop::run_once() {
  std::array<epoll_event, kEventsPerRound> ready;
  const int count =
      posix::epoll_wait(epoll_.get(), ready.data(), kEventsPerRound, milliseconds_to_next_timer());
  // What one callback removes must not be called later in the same round, although its event is
  // here and its number may be a new descriptor's by then: entries are looked up before any
  // callback runs.
  std::array<std::shared_ptr<Watch>, kEventsPerRound> watches;
  for (int i = 0; i < count; ++i) {
    const auto found = watches_.find(ready[i].data.fd);
    if (found != watches_.end()) watches[i] = found->second;
  }
  for (int i = 0; i < count; ++i) {
    if (watches[i] && !watches[i]->removed) watches[i]->ready(ready[i].events);
  }
  run_timers();
}

}  // namespace trainit::sys
