#include "logs/direct_log.h"

#include <optional>
#include <thread>

#include "pipes.h"

using namespace trainit;
using logs::DirectLog;

namespace {

struct PipeLog {
  Pipe pipe;
  Logger log;
  std::optional<DirectLog> direct{std::in_place, log, pipe.writer.get()};
};

}  // namespace

TEST_CASE_FIXTURE(PipeLog, "what we say is there at once") {
  log.info("hello");
  CHECK(read_all(pipe.reader) == "trainit: hello\n");
}

TEST_CASE_FIXTURE(PipeLog,
                  "a reader that stands still keeps nobody, and gets all when it reads on") {
  const std::size_t filled = fill(pipe.writer.get());
  log.info("first");
  log.info("second");
  CHECK(read_all(pipe.reader).size() == filled);
  log.info("third");
  CHECK(read_all(pipe.reader) == "trainit: first\ntrainit: second\ntrainit: third\n");
}

TEST_CASE_FIXTURE(PipeLog, "on a descriptor that does not block no line is torn") {
  const std::size_t filled = fill(pipe.writer.get());
  REQUIRE(::fcntl(pipe.writer.get(), F_SETFL, O_NONBLOCK) == 0);
  char page[4096];
  REQUIRE(::read(pipe.reader.get(), page, sizeof page) == sizeof page);
  const std::string text(6000, 'x');
  log.info("{}", text);
  CHECK(read_all(pipe.reader).size() >= filled - sizeof page);
  log.info("next");
  CHECK(read_all(pipe.reader).ends_with("x\ntrainit: next\n"));
}

TEST_CASE_FIXTURE(PipeLog, "the end waits for a reader, but not for ever") {
  const std::size_t filled = fill(pipe.writer.get());
  log.info("hello");
  SUBCASE("that comes") {
    std::string text;
    std::thread reader([&] {
      while (!text.ends_with("hello\n")) text += read_all(pipe.reader);
    });
    direct.reset();
    write_all(pipe.writer.get(), "hello\n");  // so that the reader ends in any case
    reader.join();
    CHECK(text.substr(filled).starts_with("trainit: hello\n"));
  }
  SUBCASE("that does not come") {
    direct.reset();
    CHECK(read_all(pipe.reader).size() == filled);
  }
}

TEST_CASE_FIXTURE(PipeLog, "with a reader that is gone nothing is kept") {
  pipe.reader.reset();
  log.info("hello");
  CHECK(log.flush());
}
