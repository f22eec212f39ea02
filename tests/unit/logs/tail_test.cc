#include "logs/tail.h"

#include <doctest/doctest.h>

#include <random>

using namespace trainit;
using logs::Tail;

namespace {

sys::TimePoint at(int milliseconds) {
  return sys::TimePoint(std::chrono::hours(1) + std::chrono::milliseconds(milliseconds));
}

}  // namespace

TEST_CASE("a tail is the last 64 KiB, whatever the sizes it came in") {
  std::mt19937 random(3);
  Tail tail;
  std::string all;
  for (int i = 0; i < 400; ++i) {
    const std::string bytes(random() % (i % 20 == 0 ? 150'000 : 3'000),
                            static_cast<char>('a' + i % 26));
    tail.append(bytes, at(i));
    all += bytes;
    const std::size_t size = std::min(all.size(), Tail::kBytes);
    REQUIRE(tail.text() == std::string_view(all).substr(all.size() - size));
  }
}

TEST_CASE("a tail knows when each of its bytes arrived") {
  Tail tail;
  tail.append("one", at(1));
  tail.append("two", at(2));
  CHECK(tail.arrived_at(0) == at(1));
  CHECK(tail.arrived_at(2) == at(1));
  CHECK(tail.arrived_at(3) == at(2));
  tail.append(std::string(Tail::kBytes - 2, 'x'), at(3));
  CHECK(tail.text().substr(0, 3) == "wox");
  CHECK(tail.arrived_at(1) == at(2));
  CHECK(tail.arrived_at(2) == at(3));
}

TEST_CASE("a tail knows when its first byte arrived, though what came with it has left") {
  Tail tail;
  for (int i = 1; i <= 3; ++i) tail.append(std::string(40'000, 'x'), at(i));
  tail.append(".", at(4));
  CHECK(tail.arrived_at(0) == at(2));
}

TEST_CASE("very many small pieces keep their times roughly, and never too late") {
  Tail tail;
  for (int i = 0; i < 10'000; ++i) tail.append(".", at(i));
  sys::TimePoint before{};
  for (int i = 0; i < 10'000; ++i) {
    REQUIRE(tail.arrived_at(i) <= at(i));
    REQUIRE(tail.arrived_at(i) >= before);
    before = tail.arrived_at(i);
  }
  CHECK(tail.arrived_at(9'999) == at(9'999));
  CHECK(tail.arrived_at(9'900) >= at(9'890));
}
