#include "coordination/clock_offset.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "dice.h"

using namespace trainit;
using namespace trainit::coordination;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kMillisecond = 1000, kSecond = 1'000'000;

/// Two hosts that send each other heartbeats, and how far their clocks really are apart.
struct Pair {
  explicit Pair(std::int64_t apart, int drifts = 0) : skew(apart), drift(drifts) {}

  std::int64_t skew;  ///< theirs - ours at time 0
  int drift;          ///< theirs against ours, parts per million
  std::int64_t now = 1000 * kSecond;
  ClockOffset clock;

  std::int64_t theirs(std::int64_t ours) const { return ours + skew + ours * drift / 1'000'000; }
  /// One of ours there, one of theirs back.
  void exchange(std::int64_t there, std::int64_t held, std::int64_t back) {
    const std::int64_t sent = now;
    now += there;
    const std::int64_t came = theirs(now);
    now += held;
    const std::int64_t answered = theirs(now);
    now += back;
    clock.learn(answered, sent, answered - came, now);
  }
  std::int64_t mistake() const { return std::abs(clock.to_ours(theirs(now)) - now); }
  std::int64_t error() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(clock.error()).count();
  }
};

}  // namespace

TEST_CASE("a point in time comes back from the wire as it was, and the epoch stays unknown") {
  const sys::TimePoint time(123'456'789us);
  CHECK(to_wire(time) == 123'456'789);
  CHECK(from_wire(to_wire(time)) == time);
  CHECK(to_wire(sys::TimePoint()) == 0);
  ClockOffset clock;
  clock.learn(5 * kSecond, kSecond, 0, kSecond);
  CHECK(clock.to_ours(0) == 0);
  CHECK(clock.to_ours(sys::TimePoint()) == sys::TimePoint());
}

TEST_CASE("before a heartbeat has been answered nothing is known, and times stay as they are") {
  ClockOffset clock;
  CHECK_FALSE(clock.known());
  clock.learn(5 * kSecond, 0, 0, kSecond);
  CHECK_FALSE(clock.known());
  CHECK(clock.to_ours(7) == 7);
  CHECK(clock.error() == 0s);
}

TEST_CASE("the offset is the middle of the way, and wrong by half of it at most") {
  Pair pair(-300 * kSecond);
  pair.exchange(10 * kMillisecond, 400 * kMillisecond, 2 * kMillisecond);
  CHECK(pair.clock.known());
  CHECK(pair.mistake() == 4 * kMillisecond);
  CHECK(pair.error() == 6 * kMillisecond + 1);
}

TEST_CASE("the shortest way counts, and a longer one changes nothing") {
  Pair pair(77 * kSecond);
  pair.exchange(kMillisecond, 0, kMillisecond);
  pair.exchange(900 * kMillisecond, 0, kMillisecond);
  CHECK(pair.mistake() == 0);
  CHECK(pair.error() == kMillisecond + 1);
  pair.exchange(100, 0, 100);
  CHECK(pair.error() == 101);
}

TEST_CASE("an answer to something else, or from before, is no answer") {
  Pair pair(77 * kSecond);
  pair.exchange(kMillisecond, 0, kMillisecond);
  const std::int64_t before = pair.clock.to_ours(1'000);
  pair.clock.learn(5, pair.now + kSecond, 0, pair.now);            // sent in our future
  pair.clock.learn(5, pair.now - kSecond, 2 * kSecond, pair.now);  // held for longer than it took
  pair.clock.learn(5, pair.now - kSecond, -1, pair.now);
  CHECK(pair.clock.to_ours(1'000) == before);
}

TEST_CASE("what was learnt long ago is worth less, so that a clock that drifts is followed") {
  Pair pair(5 * kSecond, 50);
  pair.exchange(kMillisecond, 0, kMillisecond);
  pair.now += 3600 * kSecond;
  pair.exchange(3 * kMillisecond, 0, 3 * kMillisecond);
  CHECK(pair.mistake() <= pair.error());
  CHECK(pair.error() == 3 * kMillisecond + 1);
}

TEST_CASE("a clock that stood still, as that of a suspended machine, is learnt anew at once") {
  Pair pair(5 * kSecond);
  pair.exchange(kMillisecond, 0, kMillisecond);
  pair.skew -= 3 * kSecond;
  pair.exchange(40 * kMillisecond, 0, 10 * kMillisecond);
  CHECK(pair.mistake() <= pair.error());
}

TEST_CASE("whatever the delays are, the offset is right within its error and some drift") {
  testing::Dice dice(7);
  for (int round = 0; round < 200; ++round) {
    Pair pair(dice.roll(2'000'000'000) - 1'000'000'000LL, dice.roll(101) - 50);
    for (int beat = 0; beat < 100; ++beat) {
      const int longest = dice.one_in(10) ? 2'000'000 : 5'000;
      pair.exchange(1 + dice.roll(longest), dice.roll(1'000'000), 1 + dice.roll(longest));
      pair.now += kSecond;
      // Half a minute of drift: for so long a short way may be the best that is known.
      REQUIRE(pair.mistake() <= pair.error() + 100 * 50 * 3);
    }
  }
}
