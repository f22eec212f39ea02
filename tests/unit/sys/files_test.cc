#include "sys/files.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "temporary_directory.h"

using namespace trainit;
using namespace trainit::sys;
using namespace std::chrono_literals;

namespace {

/// From now on the kernel does as if a disk were broken.
void refuse_listings() {
  sock_filter rules[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getdents64, 0, 1),
                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program = {4, rules};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

}  // namespace

TEST_CASE("what was written is read back") {
  const TemporaryDirectory directory;
  const std::string path = directory.path + "/file";
  REQUIRE(write_file_once(path, std::string("a\0b", 3)));
  CHECK(*read_file(path) == std::string("a\0b", 3));
  CHECK(list_directory(directory.path)->size() == 1);
}

TEST_CASE(
    "only a regular file is read: a pipe would not end, and nobody may ever open its other end") {
  const TemporaryDirectory directory;
  const std::string pipe = directory.path + "/pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const std::string& path : {pipe, directory.path, std::string("/dev/zero")}) {
    CAPTURE(path);
    const Result<std::string> read = read_file(path);
    REQUIRE_FALSE(read);
    CHECK(read.error().message == "reading " + path + ": it is not a regular file");
  }
}

TEST_CASE("a path that leads to nothing says how") {
  const TemporaryDirectory directory;
  directory.write("file", "");
  for (const auto& [target, name] :
       {std::pair{"file", "good"}, {"gone", "dangling"}, {"dangling", "chain"}, {"ring", "ring"}})
    REQUIRE(::symlink(target, (directory / name).c_str()) == 0);
  CHECK_FALSE(absence_of(directory / "good"));
  CHECK(dangling_link(directory / "good").empty());
  const auto absence = [&](std::string_view name) {
    const auto found = absence_of(directory / name);
    REQUIRE(found);
    return fmt::format("{} {}", found->text, strerrorname_np(found->errno_value));
  };
  CHECK(absence("none") == "does not exist ENOENT");
  CHECK(absence("file/none") == "does not exist ENOTDIR");
  CHECK(absence("dangling") == "is a dangling link to gone ENOENT");
  CHECK(absence("chain") == "is a dangling link to dangling ENOENT");
  CHECK(absence("ring") == "cannot be reached: Too many levels of symbolic links (ELOOP) ELOOP");
}

TEST_CASE("a file that cannot be written names its path and leaves nothing behind") {
  const TemporaryDirectory directory;
  const Result<bool> written = write_file_once(directory.path + "/none/file", "x");
  REQUIRE_FALSE(written);
  CHECK(written.error().message.find(directory.path + "/none/file") != std::string::npos);
  CHECK(written.error().message.find("ENOENT") != std::string::npos);
}

TEST_CASE("reading a FIFO, a directory or a device is refused at once") {
  const TemporaryDirectory directory;
  const std::string fifo = directory.path + "/fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  for (const std::string& path : {fifo, directory.path, std::string("/dev/zero")}) {
    CHECK(read_file(path).error().message == "reading " + path + ": it is not a regular file");
  }
  CHECK(open_file(BorrowedFd(AT_FDCWD), fifo, O_WRONLY).error().message ==
        "it is not a regular file");
}

TEST_CASE("files of /proc and /sys are read like others") {
  CHECK(read_file("/proc/self/stat")->starts_with(std::to_string(::getpid()) + " "));
  CHECK(read_line("/sys/kernel/mm/transparent_hugepage/enabled").empty() ==
        !exists("/sys/kernel/mm/transparent_hugepage/enabled"));
}

TEST_CASE("a file of an open directory is read there, and a link in its place is refused") {
  const TemporaryDirectory directory;
  write_file(directory.path + "/file", "content");
  REQUIRE(::symlink((directory.path + "/file").c_str(), (directory.path + "/link").c_str()) == 0);
  const UniqueFd opened(::open(directory.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK(read_file_in(opened.borrow(), "file")->text == "content");
  CHECK(read_file_in(opened.borrow(), "file", 3).error().message ==
        "reading file: it is longer than 3 bytes");
  CHECK(read_file_in(opened.borrow(), "link").error().message ==
        "reading link: it is a symbolic link, which is not followed");
}

TEST_CASE("a file of an open directory tells when it was written, at the latest") {
  const TemporaryDirectory directory;
  const std::string path = directory.path + "/file";
  const UniqueFd opened(::open(directory.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const TimePoint before = Clock::now();
  write_file(path, "content");
  const TimePoint after = Clock::now();
  CHECK(read_file_in(opened.borrow(), "file")->written_at >= before);
  CHECK(read_file_in(opened.borrow(), "file")->written_at <= after + 1s);

  timespec stamps[2];
  ::clock_gettime(CLOCK_REALTIME, &stamps[1]);
  stamps[1].tv_sec -= 60;
  stamps[0] = stamps[1];
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), stamps, 0) == 0);
  const Duration age = Clock::now() - read_file_in(opened.borrow(), "file")->written_at;
  CHECK(age > 50s);
  CHECK(age < 70s);
}

TEST_CASE("a listing that breaks off is an error, and no shorter list") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    refuse_listings();
    const auto names = list_directory("/");
    ::_exit(!names && names.error().message == "listing /: Input/output error (EIO)" ? 0 : 1);
  }
  int status = -1;
  CHECK(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("a name is found in a directory, and none in one that cannot be read") {
  TemporaryDirectory root;
  write_file(root.path + "/a", "");
  write_file(root.path + "/b", "");
  const auto is = [](std::string_view wanted) {
    return [wanted](std::string_view name) { return name == wanted; };
  };
  CHECK(any_name_in(root.path, is("a")));
  CHECK(any_name_in(root.path, is("b")));
  CHECK_FALSE(any_name_in(root.path, is("c")));
  CHECK_FALSE(any_name_in(root.path, is("..")));
  CHECK_FALSE(any_name_in(root.path + "/none", is("a")));
}

TEST_CASE("a file that is written once keeps what is there, a dangling link too") {
  const TemporaryDirectory directory;
  const std::string path = directory.path + "/file";
  CHECK(*write_file_once(path, "first"));
  CHECK_FALSE(*write_file_once(path, "second"));
  CHECK(*read_file(path) == "first");
  REQUIRE(::symlink("/none", (directory.path + "/link").c_str()) == 0);
  CHECK_FALSE(*write_file_once(directory.path + "/link", "second"));
  CHECK(list_directory(directory.path)->size() == 2);
  CHECK(write_file_once(directory.path + "/none/file", "x").error().message.find("ENOENT") !=
        std::string::npos);
}

TEST_CASE("of several writers at one moment exactly one writes") {
  const TemporaryDirectory directory;
  int gate[2];
  REQUIRE(::pipe(gate) == 0);
  for (int writer = 0; writer < 8; ++writer) {
    if (::fork() != 0) continue;
    char byte;
    ::close(gate[1]);
    [[maybe_unused]] const ssize_t opened = ::read(gate[0], &byte, 1);
    int wrote = 0;
    for (int file = 0; file < 50; ++file) {
      wrote += write_file_once(directory.path + "/" + std::to_string(file), "x").value_or(false);
    }
    ::_exit(wrote);
  }
  ::close(gate[0]);
  ::close(gate[1]);
  int all_wrote = 0, status = 0;
  while (::wait(&status) > 0) all_wrote += WEXITSTATUS(status);
  CHECK(all_wrote == 50);
}

TEST_CASE("a file that is too long is refused") {
  const TemporaryDirectory directory;
  write_file(directory.path + "/file", "12345");
  CHECK_FALSE(read_file(directory.path + "/file", 4));
  CHECK(read_file(directory.path + "/file", 5));
}

TEST_CASE("directories are made with their parents, and it is fine when they are there") {
  const TemporaryDirectory directory;
  CHECK(make_directories(directory.path + "/a/b/c"));
  CHECK(make_directories(directory.path + "/a/b/c"));
  CHECK(is_directory(directory.path + "/a/b/c"));
  write_file(directory.path + "/file", "");
  CHECK_FALSE(make_directories(directory.path + "/file"));
  CHECK_FALSE(make_directories(directory.path + "/file/below"));
}

TEST_CASE("an absolute name does not join") {
  CHECK(join_path("/a", "b") == "/a/b");
  CHECK(join_path("/a/", "b") == "/a/b");
  CHECK(join_path("/a", "/b") == "/b");
  CHECK(join_path("", "b") == "b");
}
