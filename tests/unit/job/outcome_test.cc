#include "trainit/outcome.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "base/utf8.h"
#include "temporary_directory.h"

using namespace trainit;

namespace {

std::string content(const std::string& path) { return sys::read_file(path).value_or("(none)"); }

}  // namespace

TEST_CASE("a failure is written whole, and nothing else is left beside it") {
  const TemporaryDirectory base;
  const Paths paths = Paths::below(base.path);
  CHECK(write_failure(paths, "algo-1 rank 0: ValueError: no").value());
  CHECK(content(paths.failure) == "algo-1 rank 0: ValueError: no");
  CHECK(*sys::list_directory(paths.output) == std::vector<std::string>{"failure"});
}

TEST_CASE("a failure that user code wrote is kept") {
  const TemporaryDirectory base;
  const Paths paths = Paths::below(base.path);
  base.write("output/failure", "the user's reason");
  CHECK_FALSE(write_failure(paths, "ours").value());
  CHECK(content(paths.failure) == "the user's reason");
  CHECK(*sys::list_directory(paths.output) == std::vector<std::string>{"failure"});
}

TEST_CASE("a failure without a word that user code left says nothing, and makes way") {
  for (const char* nothing : {"", "\n", " \t\r\n\n"}) {
    CAPTURE(nothing);
    const TemporaryDirectory base;
    const Paths paths = Paths::below(base.path);
    base.write("output/failure", nothing);
    CHECK(write_failure(paths, "ours").value());
    CHECK(content(paths.failure) == "ours");
  }
}

TEST_CASE("beside a success only a failure that says something stays") {
  for (const std::string text : {"", "\n", "the user's reason"}) {
    CAPTURE(text);
    const TemporaryDirectory base;
    const Paths paths = Paths::below(base.path);
    base.write("output/failure", text);
    REQUIRE(write_success(paths));
    CHECK(sys::exists(paths.failure) == (text.size() > 1));
  }
}

TEST_CASE("a failure text is valid UTF-8 of at most 1,024 bytes, cut at a character") {
  const TemporaryDirectory base;
  const Paths paths = Paths::below(base.path);
  std::string text = "x";
  for (int i = 0; i < 1000; ++i) text += "é";
  REQUIRE(write_failure(paths, text));
  CHECK(content(paths.failure) == text.substr(0, 1023));
}

TEST_CASE("stray bytes of a failure text are replaced, and count as long as they then are") {
  const TemporaryDirectory base;
  const Paths paths = Paths::below(base.path);
  REQUIRE(write_failure(paths, std::string(1000, '\xFF')));
  const std::string written = content(paths.failure);
  CHECK(written.size() == 1023);
  CHECK(utf8::sanitize(written) == written);
}

TEST_CASE("a failure that cannot be written is an error with the path") {
  const TemporaryDirectory base;
  base.write("output", "no directory");
  const auto written = write_failure(Paths::below(base.path), "x");
  REQUIRE_FALSE(written);
  CHECK(written.error().message.find(base.path + "/output") != std::string::npos);
  CHECK_FALSE(write_success(Paths::below(base.path)));
}

TEST_CASE("a full disk is an error, and leaves no half of a failure") {
  const TemporaryDirectory base;
  const Paths paths = Paths::below(base.path);
  REQUIRE(sys::make_directories(paths.output));
  const std::string mount = "mount -t tmpfs -o size=4k,nr_inodes=9 none " + paths.output;
  if (::system((mount + " 2>/dev/null").c_str()) != 0) {
    MESSAGE("skipped: this process may not mount a small disk");
    return;
  }
  const bool filled =
      ::system(("head -c 8192 /dev/zero > " + paths.output + "/big 2>/dev/null").c_str()) != 0;
  const auto written = write_failure(paths, "x");
  const auto left = sys::list_directory(paths.output);
  REQUIRE(::system(("umount " + paths.output).c_str()) == 0);
  CHECK(filled);
  REQUIRE_FALSE(written);
  CHECK(written.error().message.find(paths.failure) != std::string::npos);
  CHECK(written.error().message.find("ENOSPC") != std::string::npos);
  CHECK(*left == std::vector<std::string>{"big"});
}

TEST_CASE("a success is an empty file, and may be there already") {
  const TemporaryDirectory base;
  const Paths paths = Paths::below(base.path);
  REQUIRE(write_success(paths));
  REQUIRE(write_success(paths));
  CHECK(content(paths.success) == "");
}

TEST_CASE(
    "what is there in place of the success file and is none is an error, and not waited for") {
  const TemporaryDirectory base;
  const Paths paths = Paths::below(base.path);
  REQUIRE(sys::make_directories(paths.output));
  REQUIRE(::mkfifo(paths.success.c_str(), 0644) == 0);
  CHECK(write_success(paths).error().message ==
        "writing " + paths.success + ": it is not a regular file");
}

TEST_CASE("what is there in place of the failure file and is none is no failure that was written") {
  const TemporaryDirectory base;
  const Paths paths = Paths::below(base.path);
  REQUIRE(sys::make_directories(paths.output));
  REQUIRE(::mkfifo(paths.failure.c_str(), 0644) == 0);
  CHECK(write_failure(paths, "x").error().message ==
        "writing " + paths.failure + ": what is there is not a regular file");
}

TEST_CASE("a marker of an earlier job that cannot be moved away is removed") {
  const TemporaryDirectory base;
  const Paths paths = Paths::below(base.path);
  base.write("output/failure", "old");
  base.write("output/success", "");
  REQUIRE(sys::make_directories(paths.failure + ".previous"));
  REQUIRE(sys::make_directories(paths.success + ".previous"));
  REQUIRE(set_aside_markers(paths));
  CHECK_FALSE(sys::exists(paths.failure));
  CHECK_FALSE(sys::exists(paths.success));
}

TEST_CASE("markers of an earlier job are moved away, and replace those of the one before it") {
  const TemporaryDirectory base;
  const Paths paths = Paths::below(base.path);
  REQUIRE(set_aside_markers(paths));
  base.write("output/failure", "old");
  base.write("output/failure.previous", "older");
  base.write("output/success", "");
  REQUIRE(set_aside_markers(paths));
  CHECK_FALSE(sys::exists(paths.failure));
  CHECK_FALSE(sys::exists(paths.success));
  CHECK(content(paths.failure + ".previous") == "old");
  CHECK(content(paths.success + ".previous") == "");
}
