#include "sys/memfd.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "sys/capture.h"
#include "sys/files.h"
#include "sys/process.h"

using namespace trainit;
using namespace trainit::sys;

namespace {

SpawnRequest in_memory(const UniqueFd& program, std::vector<std::string> argv) {
  SpawnRequest request;
  request.executable_fd = program.get();
  request.argv = std::move(argv);
  return request;
}

}  // namespace

TEST_CASE("a program runs from memory, with its arguments and environment") {
  const auto program = program_in_memory("shell", *read_file("/bin/sh"));
  REQUIRE(program);
  SpawnRequest request = in_memory(*program, {"sh", "-c", "echo \"$1 $NAME\"", "sh", "one"});
  request.environment = {"NAME=value"};
  CHECK(run_and_capture(request, 10'000).value() == "one value\n");
}

TEST_CASE("a program in memory is close-on-exec, and nobody can change it") {
  const auto program = program_in_memory("shell", "original");
  REQUIRE(program);
  CHECK((::fcntl(program->get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(::pwrite(program->get(), "x", 1, 0) == -1);
  CHECK(::ftruncate(program->get(), 0) == -1);
  CHECK(::fcntl(program->get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == -1);
}

TEST_CASE("a program in memory that cannot be run is named by its first argument") {
  const auto program = program_in_memory("junk", "no program at all");
  REQUIRE(program);
  const auto answer = run_and_capture(in_memory(*program, {"helper"}), 10'000);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().message == "cannot run helper: Exec format error (ENOEXEC)");
}

TEST_CASE("a program in memory without its dynamic loader, or where none may run, is said so") {
  SpawnRequest request;
  request.executable_fd = 9;
  request.argv = {"helper"};
  CHECK(describe(SpawnError{SpawnStage::kExec, ENOENT}, request) ==
        "cannot run helper: the dynamic loader of glibc is not in this image");
  CHECK(describe(SpawnError{SpawnStage::kExec, EACCES}, request) ==
        "cannot run helper: this system does not run programs from memory");
}
