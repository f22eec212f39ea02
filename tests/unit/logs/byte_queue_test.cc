#include "logs/byte_queue.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

using trainit::logs::ByteQueue;

TEST_CASE("bytes come out of the queue as they went in, whatever the sizes") {
  std::mt19937 random(1);
  ByteQueue queue;
  std::string expected;
  for (int step = 0; step < 2000; ++step) {
    const std::string bytes(random() % (step % 50 == 0 ? 300'000 : 500),
                            static_cast<char>('a' + step % 26));
    queue.push(bytes);
    expected += bytes;
    for (int i = 0; i < 4 && !queue.empty(); ++i) {
      const std::string_view front = queue.front();
      REQUIRE(!front.empty());
      REQUIRE(std::string_view(expected).starts_with(front));
      const std::size_t count = 1 + random() % front.size();
      queue.pop(count);
      expected.erase(0, count);
    }
    REQUIRE(queue.size() == expected.size());
  }
}

TEST_CASE("an emptied queue can be used again") {
  ByteQueue queue;
  queue.push(std::string(200'000, 'x'));
  queue.pop(10);
  queue.clear();
  CHECK(queue.empty());
  CHECK(queue.front().empty());
  queue.push("new");
  CHECK(queue.front() == "new");
}

TEST_CASE("nothing can be put into a queue, also into one that never held anything") {
  ByteQueue queue;
  queue.push("");
  CHECK(queue.empty());
  CHECK(queue.front().empty());
}
