#include "base/log.h"

#include <doctest/doctest.h>

#include <utility>

using namespace trainit;

namespace {

/// A logger and what it said.
struct Recorded {
  Recorded() {
    log.set_sink([this](std::string_view lines) {
      said += lines;
      return lines.size();
    });
  }
  Recorded(const Recorded&) = delete;
  Recorded& operator=(const Recorded&) = delete;

  std::string said;
  Logger log;
};

}  // namespace

TEST_CASE("a line is ours by its first word, and a warning says so") {
  Recorded recorded;
  recorded.log.info("{} workers", 4);
  recorded.log.warning("no gpu");
  recorded.log.error("cannot run {}", "x");
  CHECK(recorded.said ==
        "trainit: 4 workers\n"
        "trainit: warning: no gpu\n"
        "trainit: cannot run x\n");
}

TEST_CASE("what a message quotes cannot make a line of ours, or give orders to a terminal") {
  Recorded recorded;
  recorded.log.info("a={}", "1\ntrainit: success\n");
  recorded.log.info("a={}", std::string_view("x\0y\x1b[2K", 7));
  CHECK(recorded.said == "trainit: a=1\\ntrainit: success\\n\ntrainit: a=x\\x00y\\x1b[2K\n");
}

TEST_CASE("only what is at least as grave as the level is said") {
  Recorded recorded;
  recorded.log.debug("not at first");
  recorded.log.set_level(LogLevel::kWarning);
  recorded.log.info("no");
  recorded.log.warning("yes");
  recorded.log.set_level(LogLevel::kDebug);
  recorded.log.debug("now");
  recorded.log.set_level(LogLevel::kOff);
  recorded.log.error("no");
  CHECK(recorded.said == "trainit: warning: yes\ntrainit: now\n");
}

TEST_CASE("what has no other place is said whatever the level is") {
  Recorded recorded;
  recorded.log.set_level(LogLevel::kOff);
  recorded.log.last_resort("its text: {}", "a\nb");
  CHECK(recorded.said == "trainit: its text: a\\nb\n");
}

TEST_CASE("the mask sees every text before anybody else does") {
  Recorded recorded;
  recorded.log.set_mask([](std::string_view text) {
    return text.find("secret") == std::string_view::npos ? std::string(text) : "***";
  });
  recorded.log.info("the secret");
  recorded.log.set_format(LogFormat::kJson);
  recorded.log.info("the secret");
  CHECK(recorded.said == "trainit: ***\n{\"level\":\"info\",\"message\":\"***\"}\n");
}

TEST_CASE("a line is dimmed up to its end") {
  Recorded recorded;
  recorded.log.set_dim(true);
  recorded.log.info("a");
  CHECK(recorded.said == "\x1b[2mtrainit: a\x1b[0m\n");
}

TEST_CASE("as JSON a text is one line that any reader takes") {
  Recorded recorded;
  recorded.log.set_format(LogFormat::kJson);
  recorded.log.set_dim(true);
  recorded.log.error("a \"b\"\nc\xFF");
  CHECK(recorded.said == "{\"level\":\"error\",\"message\":\"a \\\"b\\\"\\nc\\ufffd\"}\n");
}

TEST_CASE(
    "what a sink does not take comes first when there is room again, and when there is another") {
  std::string said;
  std::size_t room = 0;
  Logger log;
  log.info("before there is a sink");
  log.set_sink([&](std::string_view lines) {
    const std::size_t taken = std::min(room, lines.size());
    said += lines.substr(0, taken);
    room -= taken;
    return taken;
  });
  CHECK_FALSE(log.flush());
  room = 12;
  log.info("second");
  CHECK(said == "trainit: bef");
  log.set_sink([&](std::string_view lines) {
    said += lines;
    return lines.size();
  });
  log.info("third");
  CHECK(said == "trainit: before there is a sink\ntrainit: second\ntrainit: third\n");
  CHECK(log.flush());
}

TEST_CASE("what nobody takes is kept up to 1 MiB, and whole lines are left out then") {
  Logger log;
  for (int line = 0; line < 4000; ++line) log.info("{}", std::string(999, 'x'));
  std::string said;
  log.set_sink([&](std::string_view lines) {
    said += lines;
    return lines.size();
  });
  CHECK(said.size() <= 1 << 20);
  CHECK(said.size() > (1 << 20) - 2000);
  CHECK(said.ends_with("x\n"));
}

TEST_CASE("a sink that has something to say itself is heard") {
  std::string said;
  Logger log;
  bool told = false;
  log.set_sink([&](std::string_view lines) {
    if (!std::exchange(told, true)) log.warning("the disk is full");
    said += lines;
    return lines.size();
  });
  log.info("hello");
  CHECK(said == "trainit: warning: the disk is full\ntrainit: hello\n");
}
