#include "coordination/clock_offset.h"

#include <algorithm>
#include <cstdlib>

namespace trainit::coordination {
namespace {

using std::chrono::microseconds;

/// Two crystals drift apart by some 50 µs a second at worst; what was learnt long ago is worth less
/// by that.
constexpr std::int64_t kDriftPerSecond = 50;
constexpr std::int64_t kSecond = 1'000'000;

}  // namespace

std::int64_t to_wire(sys::TimePoint time) {
  return std::chrono::duration_cast<microseconds>(time.time_since_epoch()).count();
}

sys::TimePoint from_wire(std::int64_t microseconds_since_epoch) {
  return sys::TimePoint(microseconds(microseconds_since_epoch));
}

void Echo::learn(std::int64_t clock, sys::TimePoint now) {
  clock_ = clock;
  came_ = now;
}

message::Heartbeat Echo::heartbeat(sys::TimePoint now) const {
  const std::int64_t held =
      known() ? std::chrono::duration_cast<microseconds>(now - came_).count() : 0;
  return {to_wire(now), clock_, held};
}

void ClockOffset::learn(std::int64_t clock, std::int64_t echo, std::int64_t held,
                        std::int64_t now) {
  const std::int64_t way = now - echo - held;  // there and back
  if (echo == 0 || held < 0 || way < 0) return;
  const std::int64_t error = way / 2 + 1;
  const std::int64_t offset = clock + way / 2 - now;
  const std::int64_t aged =
      error_ + (now - learnt_at_) / kSecond * kDriftPerSecond;  // of what is known already
  // Both can only be true where they overlap; else a clock stood still meanwhile, as that of a
  // machine does that is suspended.
  const bool holds = known() && std::abs(offset - offset_) <= aged + error;
  if (holds && aged <= error) return;
  offset_ = offset;
  error_ = error;
  learnt_at_ = now;
}

sys::TimePoint ClockOffset::to_ours(sys::TimePoint theirs) const {
  if (theirs == sys::TimePoint{}) return theirs;
  return theirs - microseconds(offset_);
}

sys::Duration ClockOffset::error() const { return microseconds(std::max<std::int64_t>(error_, 0)); }

}  // namespace trainit::coordination
