#include "logs/log_file.h"

#include <signal.h>
#include <sys/resource.h>

#include <vector>

#include "temporary_directory.h"

using namespace trainit;
using logs::LogFile;

namespace {

struct LogFileFixture {
  TemporaryDirectory directory;
  std::string path = directory / "rank-0.stdout.log";
  std::vector<std::string> told;
  LogFile::Trouble trouble = [this](const std::string& text) { told.push_back(text); };

  std::string content(const std::string& ending = "") const {
    return sys::read_file(path + ending).value_or("(none)");
  }
};

}  // namespace

TEST_CASE_FIXTURE(LogFileFixture,
                  "a log file is there from its first byte on, and is appended to") {
  {
    LogFile file(path, 0, 1, trouble);
    CHECK_FALSE(sys::exists(path));
    file.append("one\n");
    file.append("t");
    CHECK(content() == "one\nt");
  }
  LogFile(path, 0, 1, trouble).append("wo\n");
  CHECK(content() == "one\ntwo\n");
  CHECK(told.empty());
}

TEST_CASE_FIXTURE(LogFileFixture, "a log file that is full becomes the first of its older ones") {
  LogFile file(path, 10, 2, trouble);
  for (const char* line : {"line 1\n", "line 2\n", "line 3\n", "line 4\n"}) file.append(line);
  CHECK(content() == "line 4\n");
  CHECK(content(".1") == "line 3\n");
  CHECK(content(".2") == "line 2\n");
  CHECK(content(".3") == "(none)");
}

TEST_CASE_FIXTURE(LogFileFixture, "many lines at once are parted between log files at their ends") {
  LogFile file(path, 10, 3, trouble);
  file.append("1\n2\n3\n4\n5\n6\n7\n8\na line that is longer\n9\n");
  CHECK(content(".3") == "1\n2\n3\n4\n5\n");
  CHECK(content(".2") == "6\n7\n8\n");
  CHECK(content(".1") == "a line that is longer\n");
  CHECK(content() == "9\n");
}

TEST_CASE_FIXTURE(LogFileFixture, "a line is not parted between two log files") {
  LogFile file(path, 10, 3, trouble);
  file.append("12345678");
  file.append("9");
  file.append("abc");
  file.append("def\nnext\n");
  CHECK(content(".1") == "123456789abcdef\n");
  CHECK(content() == "next\n");
}

TEST_CASE_FIXTURE(LogFileFixture, "a line without an end does not let a log file grow for ever") {
  LogFile file(path, 10, 3, trouble);
  for (int i = 0; i < 6; ++i) file.append("12345678");
  CHECK(content(".1").size() < 20);
  CHECK(content(".1") + content() != "");
  CHECK((content(".2") + content(".1") + content()).size() == 48);
}

TEST_CASE_FIXTURE(LogFileFixture, "a log file that cannot be rotated grows on") {
  REQUIRE(sys::make_directories(path + ".1/in the way"));
  LogFile file(path, 10, 1, trouble);
  for (int i = 0; i < 3; ++i) file.append("12345678\n");
  CHECK(content() == "12345678\n12345678\n12345678\n");
}

TEST_CASE_FIXTURE(LogFileFixture, "what a full disk does not take is counted, and told once") {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small = {6, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  LogFile file(path, 0, 1, trouble);
  file.append("12345678\n");
  file.append("lost\n");
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  file.append("kept\n");
  file.append("too\n");
  CHECK(content() == "123456\nkept\ntoo\n");
  CHECK(file.lost_bytes() >= 3 + 5);
  REQUIRE(told.size() == 1);
  CHECK(told[0] ==
        path + " cannot be written (File too large (EFBIG)): what does not fit is dropped");
}

TEST_CASE_FIXTURE(LogFileFixture, "a directory that is not there is told once") {
  LogFile file(directory / "missing/log", 0, 1, trouble);
  file.append("lost\n");
  file.append("lost\n");
  CHECK(file.lost_bytes() == 10);
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("No such file or directory (ENOENT)") != std::string::npos);
}
