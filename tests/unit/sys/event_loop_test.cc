#include "sys/event_loop.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <optional>
#include <vector>

#include "refused_watch.h"

using namespace trainit::sys;
using std::chrono::milliseconds;

namespace {

struct Pipe {
  UniqueFd reader, writer;
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
  void fill() const { REQUIRE(::write(writer.get(), "x", 1) == 1); }
};

}  // namespace

TEST_CASE("a readable descriptor calls its callback again until it is read") {
  EventLoop loop = *EventLoop::create();
  const Pipe pipe;
  int calls = 0;
  REQUIRE(loop.watch(pipe.reader.borrow(), EPOLLIN, [&](std::uint32_t) { ++calls; }));
  pipe.fill();
  loop.run_once();
  loop.run_once();
  CHECK(calls == 2);
}

TEST_CASE("a callback that was removed by another in the same round is not called") {
  EventLoop loop = *EventLoop::create();
  const Pipe first, second;
  int calls = 0;
  const auto remove_both = [&](std::uint32_t) {
    ++calls;
    loop.unwatch(first.reader.borrow());
    loop.unwatch(second.reader.borrow());
  };
  REQUIRE(loop.watch(first.reader.borrow(), EPOLLIN, remove_both));
  REQUIRE(loop.watch(second.reader.borrow(), EPOLLIN, remove_both));
  first.fill();
  second.fill();
  loop.run_once();
  CHECK(calls == 1);
}

TEST_CASE("a paused descriptor does not report even its hang-up") {
  EventLoop loop = *EventLoop::create();
  Pipe pipe;
  int calls = 0;
  REQUIRE(loop.watch(pipe.reader.borrow(), EPOLLIN, [&](std::uint32_t) { ++calls; }));
  REQUIRE(loop.change(pipe.reader.borrow(), 0));
  pipe.writer.reset();
  bool over = false;
  loop.after(milliseconds(20), [&] { over = true; });
  while (!over) loop.run_once();
  CHECK(calls == 0);
  REQUIRE(loop.change(pipe.reader.borrow(), EPOLLIN));
  loop.run_once();
  CHECK(calls == 1);
}

TEST_CASE("a change that the kernel refuses is an error, and can be asked for again") {
  EventLoop loop = *EventLoop::create();
  const Pipe pipe;
  int calls = 0;
  REQUIRE(loop.watch(pipe.reader.borrow(), EPOLLIN, [&](std::uint32_t) { ++calls; }));
  REQUIRE(loop.change(pipe.reader.borrow(), 0));
  {
    const RefusedWatch refused(pipe.reader.get());
    REQUIRE_FALSE(loop.change(pipe.reader.borrow(), EPOLLIN));
  }
  REQUIRE(loop.change(pipe.reader.borrow(), EPOLLIN));
  pipe.fill();
  loop.run_once();
  CHECK(calls == 1);
}

TEST_CASE("timers run in order of time and a cancelled one never") {
  EventLoop loop = *EventLoop::create();
  std::vector<int> order;
  loop.after(milliseconds(30), [&] { order.push_back(3); });
  loop.after(milliseconds(10), [&] { order.push_back(1); });
  const auto cancelled = loop.after(milliseconds(15), [&] { order.push_back(9); });
  loop.after(milliseconds(20), [&] { order.push_back(2); });
  loop.cancel(cancelled);
  while (order.size() < 3) loop.run_once();
  CHECK(order == std::vector{1, 2, 3});
}

TEST_CASE("a regular file cannot be waited for") {
  EventLoop loop = *EventLoop::create();
  const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  CHECK_FALSE(loop.watch(file.borrow(), EPOLLIN, [](std::uint32_t) {}));
}
