#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

namespace trainit::simulation {

/// Time that nobody has to wait for, in microseconds.
using Micros = std::int64_t;
inline constexpr Micros kMillisecond = 1000, kSecond = 1'000'000;
inline constexpr Micros kNever = INT64_MAX;

/// What happens, in order of time; what happens at the same time, in the order in which it was
/// said.
class Timeline {
 public:
  explicit Timeline(bool keep_trace) : keep_trace_(keep_trace) {}

  Micros now() const { return now_; }
  void at(Micros when, std::function<void()> what) {
    if (when != kNever) future_.push({when < now_ ? now_ : when, order_++, std::move(what)});
  }
  void after(Micros delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }

  /// Lets the next thing happen. False: nothing is left, or the next is after `end`.
  bool step(Micros end) {
    if (future_.empty() || future_.top().at > end) return false;
    const Happening next = future_.top();
    future_.pop();
    now_ = next.at;
    next.what();
    return true;
  }

  bool traces() const { return keep_trace_; }
  void note(const std::string& who, const std::string& what);
  const std::string& trace() const { return trace_; }

 private:
  struct Happening {
    Micros at;
    std::uint64_t order;
    std::function<void()> what;
    bool operator<(const Happening& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  Micros now_ = 0;
  std::uint64_t order_ = 0;
  std::priority_queue<Happening> future_;
  bool keep_trace_;
  std::string trace_;
};

}  // namespace trainit::simulation
