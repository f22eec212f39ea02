#pragma once

#include <cstdint>

#include "coordination/message.h"
#include "sys/event_loop.h"

namespace trainit::coordination {

/// A point in time as messages have it: microseconds of a steady clock; 0: not known.
std::int64_t to_wire(sys::TimePoint time);
sys::TimePoint from_wire(std::int64_t microseconds);

/// The last heartbeat of the other side, which ours send back.
class Echo {
 public:
  /// One came at `now`, that was sent at `clock` (theirs).
  void learn(std::int64_t clock, sys::TimePoint now);
  /// Whether one has come.
  bool known() const { return clock_ != 0; }
  /// Ours, to be sent at `now`.
  message::Heartbeat heartbeat(sys::TimePoint now) const;

 private:
  std::int64_t clock_ = 0;  ///< theirs; 0: none has come
  sys::TimePoint came_;
};

/// How far another host's clock is from ours, found from heartbeats that went there and back: as in
/// NTP, the one with the shortest way says it best, and is wrong by half of that at most.
class ClockOffset {
 public:
  /// A heartbeat of theirs came at `now` (ours): they sent it at `clock` (theirs), `held` after our
  /// own one of `echo` (ours) had come to them.
  void learn(std::int64_t clock, std::int64_t echo, std::int64_t held, std::int64_t now);

  bool known() const { return error_ >= 0; }
  /// Theirs by our clock; what is not known stays so.
  std::int64_t to_ours(std::int64_t theirs) const { return theirs == 0 ? 0 : theirs - offset_; }
  sys::TimePoint to_ours(sys::TimePoint theirs) const;
  /// By how much that may be wrong.
  sys::Duration error() const;

 private:
  std::int64_t offset_ = 0;  ///< theirs - ours, µs
  std::int64_t error_ = -1;
  std::int64_t learnt_at_ = 0;
};

}  // namespace trainit::coordination
