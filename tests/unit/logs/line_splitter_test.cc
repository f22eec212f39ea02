#include "logs/line_splitter.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

using trainit::logs::LineSplitter;

namespace {

struct Taken {
  std::vector<std::string> pieces;
  void operator()(std::string_view piece) { pieces.emplace_back(piece); }
  std::string all() const {
    std::string text;
    for (const std::string& piece : pieces) text += piece;
    return text;
  }
};

}  // namespace

TEST_CASE("whole lines come out together and the rest is held back") {
  LineSplitter splitter;
  Taken taken;
  splitter.feed("one\ntwo\nthr", taken);
  CHECK(taken.pieces == std::vector<std::string>{"one\ntwo\n"});
  CHECK(splitter.unfinished());
  splitter.feed("ee\nfour\n", taken);
  CHECK(taken.pieces == std::vector<std::string>{"one\ntwo\n", "three\n", "four\n"});
  CHECK_FALSE(splitter.unfinished());
}

TEST_CASE("every byte comes out once and in order, and only whole lines, however it is cut") {
  std::mt19937 random(2);
  std::string text;
  for (int line = 0; line < 3000; ++line) {
    text.append(random() % 200, static_cast<char>(random() % 3 == 0 ? '\r' : 'a' + line % 26));
    text += '\n';
  }
  LineSplitter splitter;
  Taken taken;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t count = std::min<std::size_t>(rest.size(), random() % 700);
    splitter.feed(rest.substr(0, count), taken);
    rest.remove_prefix(count);
  }
  for (const std::string& piece : taken.pieces) REQUIRE(piece.back() == '\n');
  CHECK(taken.all() == text);
}

TEST_CASE("a line over 1 MiB comes out in parts that end between characters") {
  std::string line;
  while (line.size() < 3 * LineSplitter::kLongestLine) line += "\xE2\x82\xAC";  // three bytes each
  LineSplitter splitter;
  Taken taken;
  std::string_view rest = line;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, 100'000);
    splitter.feed(part, taken);
    rest.remove_prefix(part.size());
  }
  CHECK(taken.pieces.size() == 2);
  for (const std::string& piece : taken.pieces) CHECK(piece.size() % 3 == 0);
  splitter.finish(taken);
  CHECK(taken.all() == line);
}

TEST_CASE("a flush keeps the beginning of a character back, but not for ever") {
  LineSplitter splitter;
  Taken taken;
  splitter.feed("caf\xC3", taken);
  splitter.flush(taken);
  CHECK(taken.pieces == std::vector<std::string>{"caf"});
  CHECK(splitter.unfinished());
  splitter.flush(taken);
  CHECK(taken.all() == "caf\xC3");
  CHECK_FALSE(splitter.unfinished());
  splitter.feed("\xA9\n", taken);
  CHECK(taken.all() == "caf\xC3\xA9\n");
}

TEST_CASE("nothing comes out of nothing") {
  LineSplitter splitter;
  Taken taken;
  splitter.feed("", taken);
  splitter.flush(taken);
  splitter.finish(taken);
  CHECK(taken.pieces.empty());
}
