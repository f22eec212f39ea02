#include "hardware/driver_query.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>

#include "fake_driver.h"
#include "temporary_directory.h"

using namespace trainit;
using namespace trainit::hardware;

namespace {

Result<Gpus> ask(const std::string& behaviour, int deadline_ms = 20'000) {
  return ask_driver(with_fake_driver(Environment::of_process(), behaviour), deadline_ms);
}

std::string error_of(const Result<Gpus>& answer) {
  REQUIRE_FALSE(answer);
  return answer.error().message;
}

bool has_no_children() {
  siginfo_t info = {};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD;
}

}  // namespace

TEST_CASE("the driver's devices come with all that it knows of them") {
  const auto gpus = ask("8");
  REQUIRE(gpus);
  CHECK(gpus->source == "libcuda");
  CHECK(gpus->cuda_version == "12.4");
  CHECK(gpus->driver_version == "550.54.15");
  CHECK(gpus->warnings.empty());
  REQUIRE(gpus->count() == 8);
  const Gpu& last = gpus->devices[7];
  CHECK(last.index == 7);
  CHECK(last.name == "Fake \"GPU\" \u00e9\\");
  CHECK(last.uuid == "GPU-00112233-4455-6677-8899-aabbccddee07");
  CHECK(last.pci == "0000:21:00.0");
  CHECK(last.memory == 24ULL << 30);
  CHECK((last.compute_major == 8 && last.compute_minor == 6));
  CHECK_FALSE(last.mig);
  CHECK(has_no_children());
}

TEST_CASE("no device is no error") {
  const auto gpus = ask("0");
  REQUIRE(gpus);
  CHECK(gpus->count() == 0);
  CHECK(gpus->source == "libcuda");
}

TEST_CASE("the driver itself honours CUDA_VISIBLE_DEVICES") {
  Environment environment = with_fake_driver(Environment::of_process(), "8");
  environment.set("CUDA_VISIBLE_DEVICES", "5,2", "test");
  const auto gpus = ask_driver(environment, 20'000);
  REQUIRE(gpus);
  REQUIRE(gpus->count() == 2);
  CHECK(gpus->devices[0].pci == "0000:1f:00.0");
  CHECK(gpus->devices[0].index == 0);
}

TEST_CASE("a MIG instance is known as one, and those that CUDA does not show are told of") {
  const auto gpus = ask("mig");
  REQUIRE(gpus);
  REQUIRE(gpus->count() == 1);
  CHECK(gpus->devices[0].mig);
  CHECK(gpus->devices[0].uuid == "MIG-00112233-4455-6677-8899-aabbccddee00");
  REQUIRE(gpus->warnings.size() == 1);
  CHECK(gpus->warnings[0].find("7 MIG instances") != std::string::npos);
}

TEST_CASE("a driver that cannot start says why") {
  CHECK(error_of(ask("init_error")) == "cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)");
}

TEST_CASE("a driver that hangs is ended at the deadline, and leaves no process") {
  const auto begin = std::chrono::steady_clock::now();
  CHECK(error_of(ask("hang", 300)) == "trainit-gpu-helper: it did not answer in time");
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(300));
  CHECK(has_no_children());
}

TEST_CASE("a driver that crashes takes only the helper with it") {
  CHECK(error_of(ask("crash")).find("SIGSEGV") != std::string::npos);
  CHECK(has_no_children());
}

TEST_CASE("a driver that writes to stdout spoils its answer") {
  CHECK(error_of(ask("junk")).find("its answer is no JSON") != std::string::npos);
}

TEST_CASE("a driver library that cannot be loaded is named, with the loader's reason") {
  const TemporaryDirectory directory;
  directory.write("libcuda.so.1", "");
  Environment environment = Environment::of_process();
  environment.set("LD_LIBRARY_PATH", directory.path, "test");
  const std::string error = error_of(ask_driver(environment, 20'000));
  CHECK(error.find("libcuda.so.1: file too short") != std::string::npos);
}

TEST_CASE("an answer without devices is an error") {
  CHECK(error_of(parse_driver_answer("{}")) == "its answer names no devices");
  CHECK(error_of(parse_driver_answer("[]")) == "its answer names no devices");
  CHECK(error_of(parse_driver_answer(R"({"error":"dlsym","message":"cuInit"})")) ==
        "libcuda.so.1 has no cuInit");
  CHECK(error_of(parse_driver_answer(R"({"error":"dlopen","message":""})")) ==
        "libcuda.so.1 cannot be loaded");
  CHECK(error_of(parse_driver_answer(R"({"error":"cuInit","code":999,"name":""})")) ==
        "cuInit: error (999)");
}

TEST_CASE("a device of which little is known still counts") {
  const auto gpus = parse_driver_answer(R"({"cuda":0,"devices":[{"name":7}]})");
  REQUIRE(gpus);
  CHECK(gpus->count() == 1);
  CHECK(gpus->devices[0].name.empty());
  CHECK(gpus->cuda_version.empty());
}

TEST_CASE("a device that the driver describes with nonsense still fits on a line of the log") {
  const auto gpus = parse_driver_answer(
      R"({"devices":[{"name":"a\nb\ud800","memory":-1,"major":4294967297,"minor":-2}]})");
  REQUIRE(gpus);
  CHECK(gpus->devices[0].name == "a b\uFFFD");
  CHECK(gpus->devices[0].memory == 0);
  CHECK(gpus->devices[0].compute_major == 0);
  CHECK(gpus->devices[0].compute_minor == 0);
  CHECK(error_of(parse_driver_answer(R"({"error":"dlopen","message":"a\nb"})")) == "a b");
}
