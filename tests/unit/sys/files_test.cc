#include "sys/files.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace trainit;
using namespace trainit::sys;

namespace {

struct TemporaryDirectory {
  std::string path = "/tmp/trainit-files-XXXXXX";
  TemporaryDirectory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~TemporaryDirectory() { [[maybe_unused]] const int ended = ::system(("rm -rf " + path).c_str()); }
};

}  // namespace

TEST_CASE("what was written is read back, and replaces what was there") {
  const TemporaryDirectory directory;
  const std::string path = directory.path + "/file";
  REQUIRE(write_file(path, "first, which is longer"));
  REQUIRE(write_file(path, std::string("a\0b", 3)));
  CHECK(*read_file(path) == std::string("a\0b", 3));
  CHECK(list_directory(directory.path)->size() == 1);
}

TEST_CASE("a file that cannot be written names its path and leaves nothing behind") {
  const TemporaryDirectory directory;
  const Result<void> written = write_file(directory.path + "/none/file", "x");
  REQUIRE_FALSE(written);
  CHECK(written.error().message.find(directory.path + "/none/file") != std::string::npos);
  CHECK(written.error().message.find("ENOENT") != std::string::npos);
}

TEST_CASE("a file that is too long is refused") {
  const TemporaryDirectory directory;
  REQUIRE(write_file(directory.path + "/file", "12345"));
  CHECK_FALSE(read_file(directory.path + "/file", 4));
  CHECK(read_file(directory.path + "/file", 5));
}

TEST_CASE("directories are made with their parents, and it is fine when they are there") {
  const TemporaryDirectory directory;
  CHECK(make_directories(directory.path + "/a/b/c"));
  CHECK(make_directories(directory.path + "/a/b/c"));
  CHECK(is_directory(directory.path + "/a/b/c"));
  REQUIRE(write_file(directory.path + "/file", ""));
  CHECK_FALSE(make_directories(directory.path + "/file"));
  CHECK_FALSE(make_directories(directory.path + "/file/below"));
}

TEST_CASE("an absolute name does not join") {
  CHECK(join_path("/a", "b") == "/a/b");
  CHECK(join_path("/a/", "b") == "/a/b");
  CHECK(join_path("/a", "/b") == "/b");
  CHECK(join_path("", "b") == "b");
}
