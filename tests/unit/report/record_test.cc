#include "report/record.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>

#include "file_size_limit.h"
#include "sys/files.h"
#include "temporary_directory.h"

using namespace trainit;
using namespace trainit::report;

namespace {

/// A fresh directory below /tmp.
struct Directory {
  Directory() {
    char name[] = "/tmp/trainit-record-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~Directory() {
    for (const std::string& file : {path + "/deep/record.jsonl", path + "/record.jsonl"})
      unlink(file.c_str());
    rmdir((path + "/deep").c_str());
    rmdir(path.c_str());
  }
  std::string path;
};

RunRecord open_at(const std::string& path, RunRecord::Mask mask = {},
                  RunRecord::Complain complain = {}) {
  auto record =
      RunRecord::open(path, std::move(mask), std::move(complain), [] { return 1700000000.1234; });
  REQUIRE(record);
  return std::move(*record);
}

std::string content(const std::string& path) { return sys::read_file(path).value(); }

}  // namespace

TEST_CASE("each event is one line with its time to the millisecond") {
  const Directory directory;
  const std::string path = directory.path + "/deep/record.jsonl";
  RunRecord record = open_at(path);
  record.write("spawned", {{"rank", Json(3)}, {"pid", Json(42)}});
  record.write("stop", {});
  CHECK(content(path) ==
        "{\"time\": 1700000000.123, \"event\": \"spawned\", \"rank\": 3, \"pid\": 42}\n"
        "{\"time\": 1700000000.123, \"event\": \"stop\"}\n");
}

TEST_CASE("a record is added to, never begun anew") {
  const Directory directory;
  const std::string path = directory.path + "/record.jsonl";
  open_at(path).write("start", {});
  open_at(path).write("start", {});
  CHECK(content(path).size() == 2 * content(path).find('\n') + 2);
}

TEST_CASE("the time is now unless a test says otherwise") {
  const Directory directory;
  const std::string path = directory.path + "/record.jsonl";
  const double before = static_cast<double>(std::time(nullptr));
  RunRecord::open(path, {}, {})->write("start", {});
  const auto line = Json::parse(content(path));
  REQUIRE(line);
  CHECK(*line->find("time")->to_double() >= before);
  CHECK(*line->find("time")->to_double() < before + 600);
}

TEST_CASE("string values are masked at any depth, numbers and names stay") {
  const Directory directory;
  const std::string path = directory.path + "/record.jsonl";
  RunRecord record = open_at(path, [](std::string_view text) {
    std::string masked(text);
    for (std::size_t i; (i = masked.find("1700")) != std::string::npos;)
      masked.replace(i, 4, "***");
    return masked;
  });
  record.write(
      "plan",
      {{"workers",
        Json(Json::Array{Json(Json::Object{
            {"rank", Json(1700)}, {"argv", Json(Json::Array{Json("--key"), Json("x1700y")})}})})}});
  CHECK(content(path) ==
        "{\"time\": 1700000000.123, \"event\": \"plan\", \"workers\": [{\"rank\": 1700, "
        "\"argv\": [\"--key\", \"x***y\"]}]}\n");
}

TEST_CASE("bytes that are no text do not spoil the line") {
  const Directory directory;
  const std::string path = directory.path + "/record.jsonl";
  open_at(path).write("start", {{"argv", Json("a\xff\nb")}});
  const auto line = Json::parse(content(path));
  REQUIRE(line);
  CHECK(*line->find("argv")->string() == "a\xef\xbf\xbd\nb");
}

TEST_CASE("a disk that takes no more is told of once, and the next line that fits is whole") {
  const Directory directory;
  const std::string path = directory.path + "/record.jsonl";
  int complaints = 0;
  RunRecord record = open_at(path, {}, [&](std::string_view message) {
    ++complaints;
    CHECK(message.find(path) != std::string_view::npos);
  });
  record.write("start", {});
  const std::string first = content(path);

  {
    const FileSizeLimit full(first.size() + 10);  // cuts the write that crosses it
    record.write("spawned", {});
    record.write("spawned", {});
  }
  CHECK(complaints == 1);

  record.write("outcome", {});
  const std::string whole = content(path);
  CHECK(whole.starts_with(first));
  CHECK(whole.ends_with("\n{\"time\": 1700000000.123, \"event\": \"outcome\"}\n"));
  CHECK(complaints == 1);
}

TEST_CASE("a record that cannot be opened is an error that names it") {
  const auto record = RunRecord::open("/proc/nowhere/record.jsonl", {}, {});
  REQUIRE_FALSE(record);
  CHECK(record.error().message.find("/proc/nowhere") != std::string::npos);
}

TEST_CASE("a record that keeps nothing takes every event") {
  RunRecord record;
  record.write("start", {{"version", Json("0.1.0")}});
}

TEST_CASE("a record tells whether its writer is alive") {
  const Directory directory;
  const std::string path = directory.path + "/record.jsonl";
  CHECK(writer_of(path) == Writer::kUnknown);
  {
    const RunRecord record = open_at(path);
    CHECK(record.locked());
    CHECK(writer_of(path) == Writer::kAlive);
    CHECK(writer_of(path) == Writer::kAlive);  // looking changes nothing
  }
  CHECK(writer_of(path) == Writer::kGone);
  CHECK_FALSE(RunRecord().locked());
}

TEST_CASE("a second writer adds to a record that it cannot lock") {
  const Directory directory;
  const std::string path = directory.path + "/record.jsonl";
  const RunRecord first = open_at(path);
  RunRecord second = open_at(path);
  CHECK_FALSE(second.locked());
  second.write("start", {});
  CHECK_FALSE(content(path).empty());
}

TEST_CASE("an end is a code or a signal") {
  Json::Object fields;
  add_status(sys::ExitStatus::exited(3), fields);
  add_status(sys::ExitStatus::killed(SIGSEGV), fields);
  CHECK(dump_json(Json(fields)) == R"({"code":3,"signal":"SIGSEGV"})");
}

TEST_CASE("a link in the record's place is not followed, and a FIFO there is not waited for") {
  TemporaryDirectory directory;
  directory.write("elsewhere", "kept\n");
  REQUIRE(::symlink((directory / "elsewhere").c_str(), (directory / "link").c_str()) == 0);
  REQUIRE(::mkfifo((directory / "fifo").c_str(), 0600) == 0);
  for (const char* name : {"link", "fifo"}) {
    CAPTURE(name);
    CHECK_FALSE(RunRecord::open(directory / name, {}, {}));
  }
  CHECK(sys::read_file(directory / "elsewhere") == "kept\n");
}
