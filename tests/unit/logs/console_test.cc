#include "logs/console.h"

#include <sys/wait.h>

#include <algorithm>
#include <vector>

#include "file_size_limit.h"
#include "logs/relay_options.h"
#include "pipes.h"
#include "refused_watch.h"
#include "temporary_directory.h"

using namespace trainit;
using logs::Console;
using logs::Outlet;

namespace {

constexpr std::size_t kLimit = 1 << 20;

struct PipeConsole : TestLoop {
  explicit PipeConsole(sys::Duration unfinished_line = logs::kUnfinishedLine)
      : console(loop, Outlet(pipe.writer.get()), "stdout", kLimit, unfinished_line) {}

  Pipe pipe;
  Console console;

  std::string written() const { return read_all(pipe.reader); }
};

struct PatientConsole : PipeConsole {
  PatientConsole() : PipeConsole(std::chrono::seconds(60)) {}
};

}  // namespace

TEST_CASE_FIXTURE(PipeConsole, "each line of a source stands behind its prefix") {
  console.append(1, "[1] ", "one\ntwo\n");
  console.append(0, "", "plain\n");
  console.append(1, "[1] ", "\n");
  CHECK(written() == "[1] one\n[1] two\nplain\n[1] \n");
}

TEST_CASE_FIXTURE(PipeConsole, "what belongs together is written at one go") {
  // Then each read gives what one write wrote.
  REQUIRE(::fcntl(console.outlet().descriptor().get(), F_SETFL, O_NONBLOCK | O_DIRECT) == 0);
  {
    const Console::Batch batch(console);
    console.append(0, "", "the end of a line\n");
    console.append(1, "[1] ", "one\ntwo\n");
    CHECK(written().empty());
  }
  char buffer[4096];
  const ssize_t count = ::read(pipe.reader.get(), buffer, sizeof buffer);
  CHECK(std::string(buffer, static_cast<std::size_t>(std::max<ssize_t>(count, 0))) ==
        "the end of a line\n[1] one\n[1] two\n");
}

TEST_CASE_FIXTURE(PipeConsole, "a line that comes in parts has one prefix") {
  console.append(1, "[1] ", "fir");
  console.append(1, "[1] ", "st\nsec");
  console.append(1, "[1] ", "ond\n");
  CHECK(written() == "[1] first\n[1] second\n");
  CHECK(console.counts().inserted_line_ends == 0);
}

TEST_CASE_FIXTURE(PipeConsole, "another source's open line is ended first, and that is counted") {
  console.append(1, "[1] ", "unfinished");
  console.append(2, "[2] ", "other\n");
  console.append(1, "[1] ", " rest\n");
  CHECK(written() == "[1] unfinished\n[2] other\n[1]  rest\n");
  CHECK(console.counts().inserted_line_ends == 1);
}

TEST_CASE_FIXTURE(PatientConsole, "a line of our own waits for the end of the line in progress") {
  console.append(0, "", "half a ");
  console.say("trainit: hello\n");
  CHECK(written() == "half a ");
  console.append(0, "", "line\nnext\n");
  CHECK(written() == "line\ntrainit: hello\nnext\n");
  CHECK(console.counts().inserted_line_ends == 0);
}

TEST_CASE_FIXTURE(PipeConsole, "a line of our own does not wait for a line that does not end") {
  console.append(0, "", "password: ");
  console.say("trainit: hello\n");
  console.say("trainit: again\n");
  std::string text;
  run_until([&] { return (text += written()).ends_with("again\n"); });
  CHECK(text == "password: \ntrainit: hello\ntrainit: again\n");
  CHECK(console.counts().inserted_line_ends == 1);
}

TEST_CASE_FIXTURE(PatientConsole, "a line of our own does not wait for somebody who has ended") {
  console.append(0, "", "last words");
  console.say("trainit: waits\n");
  console.source_ended(0);
  console.say("trainit: hello\n");
  CHECK(written() == "last words\ntrainit: waits\ntrainit: hello\n");
}

TEST_CASE_FIXTURE(PipeConsole, "nothing is put behind the last words of a source") {
  console.append(1, "[1] ", "one");
  console.source_ended(1);
  CHECK(written() == "[1] one");
  CHECK(console.counts().inserted_line_ends == 0);
  console.append(2, "[2] ", "two");
  console.source_ended(1);
  CHECK(written() == "\n[2] two");
  CHECK(console.counts().inserted_line_ends == 1);
}

TEST_CASE_FIXTURE(PipeConsole, "what the reader does not take is queued, and comes later whole") {
  std::string expected, text;
  while (!console.full()) {
    const std::string line = std::to_string(expected.size()) + std::string(1000, '-') + "\n";
    console.append(0, "", line);
    expected += line;
  }
  CHECK(console.queued() >= kLimit);
  bool room = false;
  console.on_room([&] { room = true; });
  run_until([&] {
    text += written();
    return room;
  });
  CHECK_FALSE(console.full());
  CHECK(console.queued() <= kLimit / 2);
  run_until([&] {
    text += written();
    return text.size() == expected.size();
  });
  CHECK(text == expected);
}

TEST_CASE_FIXTURE(PipeConsole,
                  "little is queued for a reader that is fast, and a lot for one that is slow") {
  const std::string block(32 << 10, 'x');
  std::string taken(64 << 10, '\0');
  std::size_t most = 0;
  for (std::size_t sum = 0; sum < 16 << 20;) {
    if (console.crowded()) {
      while (::read(pipe.reader.get(), taken.data(), taken.size()) > 0) {
      }
      loop.run_once();
    } else {
      console.append(0, "", block);
      sum += block.size();
      most = std::max(most, console.queued());
    }
  }
  CHECK(most < 512 << 10);

  while (!console.crowded()) console.append(0, "", block);
  bool room = false;
  console.on_room([&] { room = true; });
  run_until([&] { return room; });  // nothing was read meanwhile
  CHECK_FALSE(console.crowded());
  while (!console.full()) console.append(0, "", block);
  CHECK_FALSE(console.crowded());
  CHECK(console.queued() >= kLimit);
  run_until([&] {
    written();
    return console.queued() == 0;
  });
  CHECK_FALSE(console.full());
}

TEST_CASE_FIXTURE(PipeConsole, "a reader that stands still costs no wake-ups") {
  console.append(0, "", std::string(kLimit, 'x'));
  CHECK(run_for(std::chrono::milliseconds(100)) <= 2);
  CHECK(console.queued() > 0);
}

TEST_CASE_FIXTURE(PipeConsole, "a console that has written everything costs no wake-ups") {
  console.append(0, "", std::string(kLimit, 'x'));
  run_until([&] {
    written();
    return console.queued() == 0;
  });
  CHECK(run_for(std::chrono::milliseconds(100)) <= 2);
}

TEST_CASE_FIXTURE(PipeConsole,
                  "when the kernel refuses to wait for the reader, that is tried again") {
  console.append(0, "", std::string(kLimit, 'x'));
  run_until([&] {
    written();
    return console.queued() == 0;
  });
  {
    const RefusedWatch refused(console.outlet().descriptor().get());
    console.append(0, "", std::string(kLimit, 'x'));
  }
  run_until([&] {
    written();
    return console.queued() == 0;
  });
}

TEST_CASE_FIXTURE(PipeConsole,
                  "when the reader is gone the rest is dropped, counted and told once") {
  std::vector<std::string> told;
  console.on_trouble([&](const std::string& text) {
    told.push_back(text);
    console.say("trainit: " + text + "\n");  // stderr itself may be what is gone
  });
  console.append(0, "", std::string(kLimit, 'x'));
  const std::size_t queued = console.queued();
  pipe.reader.reset();
  run_until([&] { return console.queued() == 0; });
  console.append(0, "", "more\n");
  CHECK(told.size() == 1);
  CHECK(told[0] == "nobody reads stdout any more (Broken pipe (EPIPE)): the rest of it is dropped");
  CHECK(console.counts().lost_bytes == queued + told[0].size() + 10 + 5);
  CHECK_FALSE(console.full());
}

TEST_CASE("what a full disk does not take is dropped, counted and told once") {
  TestLoop test;
  const sys::UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  Console console(test.loop, Outlet(full.get()), "stderr", kLimit);
  int told = 0;
  console.on_trouble([&](const std::string& text) {
    CHECK(text ==
          "stderr cannot be written (No space left on device (ENOSPC)): what does not fit is "
          "dropped");
    ++told;
    console.say("me\n");
  });
  console.append(0, "[0] ", "a\nb\n");
  console.append(0, "", "cd\n");
  CHECK(told == 1);
  CHECK(console.counts().lost_bytes == 12 + 3 + 3);
  CHECK(console.queued() == 0);
}

TEST_CASE("when a full disk has room again, what follows stands on a line of its own") {
  TestLoop test;
  const TemporaryDirectory directory;
  const sys::UniqueFd file(::open((directory / "log").c_str(), O_WRONLY | O_CREAT, 0600));
  Console console(test.loop, Outlet(file.get()), "stdout", kLimit);
  {
    const FileSizeLimit limit(10);
    console.append(0, "", "0123456789 lost\n");
    console.append(0, "", "lost too\n");
  }
  console.append(0, "", "kept\n");
  console.append(1, "", "also\n");
  CHECK(sys::read_file(directory / "log") == "0123456789\nkept\nalso\n");
  CHECK(console.counts().lost_bytes == 6 + 10);
}

TEST_CASE_FIXTURE(PipeConsole,
                  "the end waits for a slow reader, and not for one that stands still") {
  console.append(0, "", std::string(kLimit, 'x'));
  const pid_t reader = ::fork();
  if (reader == 0) {
    char buffer[4096];
    std::size_t sum = 0;
    ::fcntl(pipe.reader.get(), F_SETFL, 0);
    while (sum < kLimit)
      sum += static_cast<std::size_t>(::read(pipe.reader.get(), buffer, sizeof buffer));
    ::_exit(0);
  }
  console.finish(std::chrono::seconds(20), sys::Clock::now() + std::chrono::seconds(20));
  CHECK(console.queued() == 0);
  CHECK(console.counts().lost_bytes == 0);
  int status = -1;
  CHECK(::waitpid(reader, &status, 0) == reader);
  CHECK(status == 0);

  console.append(0, "", std::string(kLimit, 'x'));
  const std::size_t queued = console.queued();
  const sys::TimePoint before = sys::Clock::now();
  console.finish(std::chrono::milliseconds(50), before + std::chrono::seconds(20));
  CHECK(sys::Clock::now() - before < std::chrono::seconds(10));
  CHECK(console.counts().lost_bytes == queued);
}

TEST_CASE_FIXTURE(PipeConsole,
                  "a reader that has taken nothing for long is not waited for at the end") {
  console.append(0, "", std::string(kLimit, 'x'));
  const timespec long_enough = {1, 100'000'000};
  ::nanosleep(&long_enough, nullptr);
  const sys::TimePoint begin = sys::Clock::now();
  console.finish(std::chrono::seconds(1), begin + std::chrono::seconds(60));
  CHECK(sys::Clock::now() - begin < std::chrono::milliseconds(900));
  CHECK(console.queued() == 0);
  CHECK(console.counts().lost_bytes > 0);
}

TEST_CASE_FIXTURE(PipeConsole, "the wait at the end can be interrupted, and then go on") {
  console.append(0, "", std::string(kLimit, 'x'));
  const std::size_t queued = console.queued();
  Pipe interrupt;
  REQUIRE(::write(interrupt.writer.get(), "!", 1) == 1);
  const sys::TimePoint deadline = sys::Clock::now() + std::chrono::seconds(60);
  CHECK_FALSE(console.finish(std::chrono::seconds(60), deadline, interrupt.reader.borrow()));
  CHECK(console.queued() == queued);
  CHECK(sys::Clock::now() < deadline - std::chrono::seconds(30));
  CHECK(console.finish(std::chrono::milliseconds(1), deadline));
  CHECK(console.counts().lost_bytes == queued);
}

TEST_CASE("a line without an end is kept for 200 ms, unless somebody says otherwise") {
  CHECK(logs::kUnfinishedLine == std::chrono::milliseconds(200));
  CHECK(logs::RelayOptions().unfinished_line == logs::kUnfinishedLine);
}

TEST_CASE_FIXTURE(PatientConsole, "the end writes the lines that were held back") {
  console.append(0, "", "open");
  console.say("trainit: last\n");
  console.finish(std::chrono::seconds(1), sys::Clock::now() + std::chrono::seconds(1));
  CHECK(written() == "open\ntrainit: last\n");
}

TEST_CASE_FIXTURE(PipeConsole, "lines of our own are bounded too when nobody reads") {
  for (int i = 0; i < 40; ++i) console.say(std::string(99'999, 't') + "\n");
  CHECK(console.queued() < kLimit + (1 << 20) + 200'000);
  CHECK(console.counts().lost_bytes > 0);
}
