#include "logs/tail.h"

#include <doctest/doctest.h>

#include <random>

using namespace trainit;
using logs::Tail;

namespace {

sys::TimePoint at(int milliseconds) {
  return sys::TimePoint(std::chrono::hours(1) + std::chrono::milliseconds(milliseconds));
}

constexpr const char* kError =
    "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nValueError: ";

std::string lines(std::size_t bytes) {
  std::string result;
  while (result.size() < bytes) result += "size mismatch\n";
  return result;
}

/// In parts of this size, all at one time.
void feed(Tail& tail, std::string_view bytes, std::size_t part, int milliseconds) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(part, bytes.size())))
    tail.append(bytes.substr(0, part), at(milliseconds));
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

TEST_CASE(
    "the beginning of an error that is longer than the tail is kept, in whatever parts it came") {
  for (const std::size_t size : {70'000, 130'000, 140'000, 300'000, 1'000'000}) {
    for (const std::size_t part : {999, 4'096, 65'536, 131'072}) {
      CAPTURE(size);
      CAPTURE(part);
      Tail tail;
      tail.append("epoch 1\nepoch 2\n", at(1));
      feed(tail, kError + lines(size), part, 2);
      const Tail::Beginning beginning = tail.beginning();
      CHECK(beginning.text.size() == Tail::kBeginningBytes);
      CHECK(beginning.text.starts_with("epoch 2\n" + std::string(kError) + "size mismatch\n"));
      CHECK(beginning.of_error);
    }
  }
}

TEST_CASE("of several errors that have left the tail the last is kept, and when it came") {
  Tail tail;
  tail.append("Traceback (most recent call last): the first\n", at(1));
  tail.append(lines(100'000), at(2));
  tail.append("[rank1]: panic: the second\n", at(3));
  CHECK(tail.beginning().text.starts_with("Traceback (most recent call last): the first\n"));
  tail.append(lines(200'000), at(4));
  CHECK(tail.beginning().text.starts_with("size mismatch\n[rank1]: panic: the second\n"));
  CHECK(tail.beginning().at == at(2));  // with the line before it
}

TEST_CASE("what is still in the tail has no beginning outside of it") {
  Tail tail;
  CHECK(tail.beginning().text.empty());
  tail.append(kError + lines(60'000), at(1));
  CHECK(tail.beginning().text.empty());
  Tail other;
  other.append(lines(200'000), at(1));
  CHECK(other.beginning().text.empty());
}

TEST_CASE("an error after which a program printed for long is another story") {
  Tail tail;
  tail.append(kError + lines(100'000), at(0));
  CHECK_FALSE(tail.beginning().text.empty());
  tail.append("epoch 1\n", at(9'900));
  CHECK_FALSE(tail.beginning().text.empty());
  tail.append("epoch 2\n", at(10'100));
  CHECK(tail.beginning().text.empty());
}

TEST_CASE("the beginning of a line that is longer than the tail is kept") {
  for (const std::size_t size : {66'000, 140'000, 1'000'000}) {
    for (const std::size_t part : {999, 131'072}) {
      CAPTURE(size);
      CAPTURE(part);
      Tail tail;
      tail.append("epoch 1\n", at(1));
      feed(tail, "no labels in " + std::string(size, 'x') + "\n", part, 2);
      CHECK(tail.beginning().text.starts_with("no labels in xxx"));
      CHECK(tail.beginning().at == at(2));
      tail.append("epoch 2\nepoch 3\n", at(3));
      tail.append(lines(70'000), at(4));
      tail.append(std::string(70'000, 'y'), at(5));
      CHECK(tail.beginning().text.starts_with("yyy"));
    }
  }
  Tail whole;
  whole.append(std::string(70'000, 'x'), at(1));
  CHECK(whole.beginning().text.starts_with("xxx"));
}

TEST_CASE("a long line within an error does not take the place of the error's beginning") {
  Tail tail;
  feed(tail, kError + std::string(1'000'000, 'x'), 4'096, 1);
  CHECK(tail.beginning().text.starts_with(kError));
}

TEST_CASE("a progress bar that overwrites itself is no long line") {
  Tail tail;
  for (int i = 0; i < 10'000; ++i) tail.append("\r50%|#####     |", at(1));
  CHECK(tail.beginning().text.empty());
}

TEST_CASE("a flood is not looked through, but what comes a second later is") {
  Tail tail;
  for (int i = 0; i < 100; ++i) tail.append(lines(131'072), at(1));
  tail.append(kError + lines(300'000), at(2));
  CHECK(tail.beginning().text.empty());
  tail.append(kError + lines(300'000), at(1'002));
  CHECK(tail.beginning().text.starts_with("size mismatch\n" + std::string(kError)));
}
