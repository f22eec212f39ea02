#include "logs/progress.h"

#include <doctest/doctest.h>

#include <string>

using namespace trainit;
using logs::ProgressFilter;

namespace {

struct Filtered {
  ProgressFilter filter{[this](std::string_view bytes) { text += bytes; }};
  std::string text;
  sys::TimePoint now{std::chrono::hours(1)};

  void feed(std::string_view bytes, int milliseconds_later = 0) {
    now += std::chrono::milliseconds(milliseconds_later);
    filter.feed(bytes, now);
  }
};

}  // namespace

TEST_CASE_FIXTURE(Filtered,
                  "lines without a carriage return pass unchanged, with or without an end") {
  feed("one\ntwo\n");
  feed("thr");
  feed("ee\n");
  CHECK(text == "one\ntwo\nthree\n");
}

TEST_CASE_FIXTURE(Filtered, "the line ends of Windows are no progress") {
  feed("one\r\ntwo\r\n");
  CHECK(text == "one\r\ntwo\r\n");
}

TEST_CASE_FIXTURE(Filtered, "a progress bar is shown once a second, and its last state always") {
  for (int percent = 0; percent <= 100; ++percent) {
    feed("\r" + std::to_string(percent) + " %", 50);
  }
  feed("\n");
  CHECK(text == "0 %\n20 %\n40 %\n60 %\n80 %\n100 %\n");
}

TEST_CASE_FIXTURE(Filtered, "a bar that came at once shows its last state only") {
  feed("before\n\r10 %\r50 %\r100 %\nafter\n");
  CHECK(text == "before\n100 %\nafter\n");
}

TEST_CASE_FIXTURE(Filtered, "a bar whose states end with a carriage return is one too") {
  feed("10 %\r", 2000);
  feed("20 %\r", 10);
  feed("30 %\r", 10);
  feed("\n");
  CHECK(text == "10 %\n30 %\n");
}

TEST_CASE_FIXTURE(Filtered, "a state that comes in parts is one state") {
  feed("\r1", 0);
  text.clear();
  feed("0 ", 10);
  feed("%\n", 10);
  CHECK(text == "10 %\n");
}

TEST_CASE_FIXTURE(Filtered, "the last state is shown though the line never ends") {
  feed("\r10 %");
  feed("\r20 %", 10);
  filter.finish();
  CHECK(text == "10 %\n20 %\n");
}

TEST_CASE_FIXTURE(Filtered, "a bar that ended leaves nothing behind for the next line") {
  feed("\r10 %\n");
  feed("plain");
  feed(" line\n");
  feed("\r20 %\n");
  CHECK(text == "10 %\nplain line\n20 %\n");
}

TEST_CASE_FIXTURE(Filtered, "what is far too long for a bar passes whole") {
  const std::string chunk(10'000, 'x');
  feed("\rstart ");
  text.clear();
  std::string expected = "start ";
  for (int i = 0; i < 10; ++i) {
    feed(chunk, 1);
    expected += chunk;
  }
  CHECK((text == expected));
  feed("\n");
  CHECK((text == expected + "\n"));
}

TEST_CASE_FIXTURE(Filtered, "a bar that had begun to pass ends its line before the next state") {
  feed("10 %", 2000);
  feed("\r20 %\r30 %", 2000);
  feed("\r40 %\n");
  CHECK(text == "10 %\n30 %\n40 %\n");
}

TEST_CASE_FIXTURE(Filtered, "a state that had begun to pass is shown whole") {
  feed("10");
  feed(" %\r20 %\n");
  CHECK(text == "10 %\n20 %\n");
}

TEST_CASE_FIXTURE(Filtered, "a line that had begun to pass keeps its end") {
  feed("plain");
  feed("\r");
  feed("\n");
  feed("next\n");
  CHECK(text == "plain\nnext\n");
}

TEST_CASE_FIXTURE(Filtered, "an empty line that was written over is one") {
  feed("one\n\r\r\ntwo\n");
  CHECK(text == "one\n\ntwo\n");
}

TEST_CASE_FIXTURE(Filtered,
                  "what is far too long for a bar passes, also when it is written over at once") {
  const std::string chunk(20'000, 'x');
  feed("\rstart\r" + chunk + "\rshort\rend\n");
  CHECK((text == chunk + "\nend\n"));
  text.clear();
  feed("\r" + chunk + "\r");
  feed("next\n");
  CHECK((text == chunk + "\nnext\n"));
}
