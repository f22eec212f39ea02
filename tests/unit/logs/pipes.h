#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "sys/event_loop.h"
#include "sys/unique_fd.h"

/// Both ends of a pipe, of which the reading one does not block.
struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    reader.reset(ends[0]);
    writer.reset(ends[1]);
    REQUIRE(::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    // The launcher blocks SIGPIPE; without it a closed reader ends the test.
    ::signal(SIGPIPE, SIG_IGN);
  }

  trainit::sys::UniqueFd reader, writer;
};

/// All that can be read now.
inline std::string read_all(const trainit::sys::UniqueFd& reader) {
  std::string text;
  char buffer[64 * 1024];
  ssize_t count;
  while ((count = ::read(reader.get(), buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

inline void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    REQUIRE(count > 0);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

/// Fills what a non-blocking writer can fill, and tells how much that was.
inline std::size_t fill(int fd) {
  REQUIRE(::fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
  const std::string block(4096, '#');
  std::size_t sum = 0;
  ssize_t count;
  while ((count = ::write(fd, block.data(), block.size())) > 0)
    sum += static_cast<std::size_t>(count);
  REQUIRE(::fcntl(fd, F_SETFL, 0) == 0);
  return sum;
}

/// A loop that runs until something holds, and fails the test when it does not within 20 s.
class TestLoop {
 public:
  trainit::sys::EventLoop loop = std::move(*trainit::sys::EventLoop::create());

  void run_until(const std::function<bool()>& holds) {
    bool late = false;
    const auto timer = loop.after(std::chrono::seconds(20), [&] { late = true; });
    while (!holds()) {
      REQUIRE_FALSE(late);
      loop.run_once();
    }
    loop.cancel(timer);
  }
  /// Runs for this long, and tells how often it woke.
  int run_for(trainit::sys::Duration duration) {
    bool over = false;
    loop.after(duration, [&] { over = true; });
    int rounds = 0;
    while (!over) {
      loop.run_once();
      ++rounds;
    }
    return rounds;
  }
  /// Appends what comes out of a pipe to `text`, from now on.
  void collect(const Pipe& pipe, std::string& text) {
    REQUIRE(loop.watch(pipe.reader.borrow(), EPOLLIN, [this, &pipe, &text](std::uint32_t) {
      const std::string more = read_all(pipe.reader);
      if (more.empty()) loop.unwatch(pipe.reader.borrow());
      text += more;
    }));
  }
};
