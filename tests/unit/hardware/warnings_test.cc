#include <doctest/doctest.h>

#include "hardware/describe.h"

using namespace trainit;
using namespace trainit::hardware;

namespace {

Hardware healthy(int gpus) {
  Hardware hardware;
  hardware.shm_size = 8ULL << 30;
  hardware.open_files_limit = 65536;
  hardware.gpus.devices.resize(static_cast<std::size_t>(gpus));
  return hardware;
}

}  // namespace

TEST_CASE("a machine that has what its type should have gives no warning") {
  CHECK(warnings(healthy(8), "ml.p5.48xlarge").empty());
  CHECK(warnings(healthy(0), "ml.m5.xlarge").empty());
  CHECK(warnings(healthy(0), "").empty());
  CHECK(warnings(healthy(9), "ml.p5.48xlarge").empty());
}

TEST_CASE("fewer GPUs than the type has are told of") {
  CHECK(warnings(healthy(7), "ml.p5.48xlarge") ==
        std::vector<std::string>{"ml.p5.48xlarge has 8 GPUs, 7 found"});
  CHECK(warnings(healthy(0), "ml.g5.xlarge") ==
        std::vector<std::string>{"ml.g5.xlarge has 1 GPU, 0 found"});
}

TEST_CASE("a choice of GPUs, and MIG instances, are not compared with the type") {
  Hardware chosen = healthy(2);
  chosen.gpus.chosen = true;
  CHECK(warnings(chosen, "ml.p5.48xlarge").empty());
  Hardware divided = healthy(1);
  divided.gpus.devices[0].mig = true;
  CHECK(warnings(divided, "ml.p4d.24xlarge").empty());
}

TEST_CASE("Docker's small /dev/shm comes with how to raise it") {
  Hardware hardware = healthy(0);
  hardware.shm_size = 64 << 20;
  const auto found = warnings(hardware, "");
  REQUIRE(found.size() == 1);
  CHECK(found[0].starts_with("/dev/shm has only 64 MB"));
  CHECK(found[0].find("--shm-size=8g") != std::string::npos);
  hardware.shm_size = 65 << 20;
  CHECK(warnings(hardware, "").empty());
}

TEST_CASE("the usual limit of open files is enough without GPUs, and not with several") {
  Hardware hardware = healthy(0);
  hardware.open_files_limit = 1024;
  CHECK(warnings(hardware, "").empty());
  hardware.open_files_limit = 256;
  CHECK(warnings(hardware, "").size() == 1);
  Hardware many = healthy(8);
  many.open_files_limit = 1024;
  const auto found = warnings(many, "");
  REQUIRE(found.size() == 1);
  CHECK(found[0].find("NCCL and data loaders on 8 GPUs") != std::string::npos);
}

TEST_CASE("what the search for GPUs had to say comes first") {
  Hardware hardware = healthy(7);
  hardware.gpus.warnings = {"first"};
  const auto found = warnings(hardware, "ml.p5.48xlarge");
  REQUIRE(found.size() == 2);
  CHECK(found[0] == "first");
}
