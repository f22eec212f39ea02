#include "logs/log_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "file_size_limit.h"
#include "temporary_directory.h"

using namespace trainit;
using logs::LogFile;

namespace {

struct LogFileFixture {
  TemporaryDirectory directory;
  logs::LogDirectory place{directory.path};
  std::string name = "rank-0.stdout.log";
  std::string path = directory / name;
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
    LogFile file(place, name, 0, 1, trouble);
    CHECK_FALSE(sys::exists(path));
    file.append("one\n");
    file.append("t");
    CHECK(content() == "one\nt");
  }
  LogFile(place, name, 0, 1, trouble).append("wo\n");
  CHECK(content() == "one\ntwo\n");
  CHECK(told.empty());
}

TEST_CASE_FIXTURE(LogFileFixture, "a log file that is full becomes the first of its older ones") {
  LogFile file(place, name, 10, 2, trouble);
  for (const char* line : {"line 1\n", "line 2\n", "line 3\n", "line 4\n"}) file.append(line);
  CHECK(content() == "line 4\n");
  CHECK(content(".1") == "line 3\n");
  CHECK(content(".2") == "line 2\n");
  CHECK(content(".3") == "(none)");
}

TEST_CASE_FIXTURE(LogFileFixture, "many lines at once are parted between log files at their ends") {
  LogFile file(place, name, 10, 3, trouble);
  file.append("1\n2\n3\n4\n5\n6\n7\n8\na line that is longer\n9\n");
  CHECK(content(".3") == "1\n2\n3\n4\n5\n");
  CHECK(content(".2") == "6\n7\n8\n");
  CHECK(content(".1") == "a line that is longer\n");
  CHECK(content() == "9\n");
}

TEST_CASE_FIXTURE(LogFileFixture, "a line is not parted between two log files") {
  LogFile file(place, name, 10, 3, trouble);
  file.append("12345678");
  file.append("9");
  file.append("abc");
  file.append("def\nnext\n");
  CHECK(content(".1") == "123456789abcdef\n");
  CHECK(content() == "next\n");
}

TEST_CASE_FIXTURE(LogFileFixture, "a line without an end does not let a log file grow for ever") {
  LogFile file(place, name, 10, 3, trouble);
  for (int i = 0; i < 6; ++i) file.append("12345678");
  CHECK(content(".1").size() < 20);
  CHECK(content(".1") + content() != "");
  CHECK((content(".2") + content(".1") + content()).size() == 48);
}

TEST_CASE_FIXTURE(LogFileFixture, "a log file that cannot be rotated grows on") {
  REQUIRE(sys::make_directories(path + ".1/in the way"));
  LogFile file(place, name, 10, 1, trouble);
  for (int i = 0; i < 3; ++i) file.append("12345678\n");
  CHECK(content() == "12345678\n12345678\n12345678\n");
}

TEST_CASE_FIXTURE(LogFileFixture, "what a full disk does not take is counted, and told once") {
  LogFile file(place, name, 0, 1, trouble);
  {
    const FileSizeLimit full(6);
    CHECK(file.append("12345678\n") == 3);
    CHECK(file.append("lost\n") == 5);
  }
  CHECK(file.append("kept\n") == 0);
  CHECK(file.append("too\n") == 0);
  CHECK(content() == "123456\nkept\ntoo\n");
  REQUIRE(told.size() == 1);
  CHECK(told[0] ==
        path + " cannot be written (File too large (EFBIG)): what does not fit is dropped");
}

TEST_CASE_FIXTURE(LogFileFixture,
                  "what is there and is no file is neither written nor waited for") {
  const std::string victim = directory.write("victim", "precious\n");
  REQUIRE(::symlink(victim.c_str(), path.c_str()) == 0);
  REQUIRE(::mkfifo((path + ".fifo").c_str(), 0600) == 0);
  LogFile(place, name, 0, 1, trouble).append("lost\n");
  LogFile(place, name + ".fifo", 0, 1, trouble).append("lost\n");
  CHECK(*sys::read_file(victim) == "precious\n");
  REQUIRE(told.size() == 2);
  CHECK(told[0].find("it is a symbolic link") != std::string::npos);
  CHECK(told[1].find("it is not a regular file") != std::string::npos);
}

TEST_CASE_FIXTURE(LogFileFixture,
                  "log files stay in their directory, whatever has its name by now") {
  REQUIRE(sys::make_directories(directory / "logs"));
  const logs::LogDirectory logs(directory / "logs");
  LogFile file(logs, name, 5, 1, trouble);
  REQUIRE(::rename((directory / "logs").c_str(), (directory / "moved").c_str()) == 0);
  REQUIRE(sys::make_directories(directory / "logs"));
  file.append("1234\n");
  file.append("5678\n");
  CHECK(sys::list_directory(directory / "logs")->empty());
  CHECK(sys::list_directory(directory / "moved")->size() == 2);
}

TEST_CASE_FIXTURE(LogFileFixture, "a directory that is not there is told once") {
  const logs::LogDirectory missing(directory / "missing");
  LogFile file(missing, "log", 0, 1, trouble);
  CHECK(file.append("lost\n") == 5);
  CHECK(file.append("lost\n") == 5);
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("No such file or directory (ENOENT)") != std::string::npos);
}
