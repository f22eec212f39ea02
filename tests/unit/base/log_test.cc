#include "base/log.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

using namespace trainit;

namespace {

/// A logger and what it said.
struct Recorded {
  Recorded() {
    log.set_sink([this](std::string_view lines) { said += lines; });
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

TEST_CASE("without a sink lines go to stderr") {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  dup2(ends[1], STDERR_FILENO);
  Logger().info("hello");
  dup2(before, STDERR_FILENO);
  char text[64] = {};
  const ssize_t size = read(ends[0], text, sizeof text - 1);
  for (const int fd : {before, ends[0], ends[1]}) close(fd);
  CHECK(std::string_view(text, size > 0 ? size : 0) == "trainit: hello\n");
}
