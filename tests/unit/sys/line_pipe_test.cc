#include "sys/line_pipe.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

using namespace trainit::sys;

namespace {

constexpr std::size_t kLongest = 5000;  // more than one read takes

/// A pipe of lines, what is heard through it, and its writing end.
class Talk {
 public:
  Talk() { open(); }

  void open() {
    auto made =
        lines.open(loop, {.line = [this](std::string_view line) { heard.emplace_back(line); },
                          .gave_up = [this] { ++gave_up; }});
    REQUIRE(made.has_value());
    writer = std::move(*made);
  }
  void say(const std::string& bytes) const {
    REQUIRE(::write(writer.get(), bytes.data(), bytes.size()) ==
            static_cast<ssize_t>(bytes.size()));
  }
  bool has_reader() const {
    pollfd entry{writer.get(), 0, 0};
    ::poll(&entry, 1, 0);
    return (entry.revents & POLLERR) == 0;
  }

  EventLoop loop = *EventLoop::create();
  std::vector<std::string> heard;
  int gave_up = 0;
  UniqueFd writer;
  LinePipe lines{kLongest};
};

}  // namespace

TEST_CASE("the loop hears the lines of a pipe, also those that come in pieces") {
  Talk talk;
  talk.say("one\n\ntwo\nth");
  talk.loop.run_once();
  CHECK(talk.heard == std::vector<std::string>{"one", "", "two"});
  talk.say("ree\n");
  talk.loop.run_once();
  CHECK(talk.heard.back() == "three");
}

TEST_CASE("a line without an end is none") {
  Talk talk;
  talk.say("one\ntwo");
  talk.writer.reset();
  talk.lines.read_all();
  CHECK(talk.heard == std::vector<std::string>{"one"});
}

TEST_CASE("what was said before the end is heard after it, and nothing waits for more") {
  Talk talk;
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "line\n";
  talk.say(many);
  CHECK(talk.lines.read());
  CHECK(talk.heard.size() < 5000);  // one turn is no more than a part of a flood
  talk.lines.read_all();
  CHECK(talk.heard.size() == 5000);
  CHECK_FALSE(talk.lines.read());
}

TEST_CASE("a pipe that has ended does not wake the loop again") {
  Talk talk;
  talk.writer.reset();
  talk.loop.run_once();
  bool timed_out = false;
  talk.loop.after(std::chrono::milliseconds(20), [&] { timed_out = true; });
  talk.loop.run_once();
  CHECK(timed_out);
}

TEST_CASE("nobody listens to a line that is too long, nor to what comes after it") {
  Talk talk;
  talk.say(std::string(kLongest, 'x') + "\n");
  talk.lines.read_all();
  REQUIRE(talk.heard.size() == 1);
  CHECK(talk.heard[0].size() == kLongest);
  SUBCASE("with an end") { talk.say(std::string(kLongest + 1, 'x') + "\nmore\n"); }
  SUBCASE("without an end") { talk.say(std::string(kLongest + 1, 'x')); }
  talk.lines.read_all();
  CHECK(talk.heard.size() == 1);
  CHECK(talk.gave_up == 1);
  CHECK_FALSE(talk.has_reader());
  CHECK_FALSE(talk.lines.read());
  CHECK(talk.gave_up == 1);
}

TEST_CASE("a pipe that is opened again begins with no half line of the one before") {
  Talk talk;
  talk.say("hal");
  talk.lines.read_all();
  talk.lines.close();
  CHECK_FALSE(talk.has_reader());
  talk.open();
  talk.say("whole\n");
  talk.loop.run_once();
  CHECK(talk.heard == std::vector<std::string>{"whole"});
}

TEST_CASE("both ends are close-on-exec, and only ours does not wait") {
  Talk talk;
  CHECK((::fcntl(talk.writer.get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(talk.writer.get(), F_GETFL) & O_NONBLOCK) == 0);
  CHECK_FALSE(talk.lines.read());
}
