#include <doctest/doctest.h>

#include "trainit/hardware.h"

using trainit::expected_efa_devices;
using trainit::expected_gpus;

TEST_CASE("an instance type tells how many GPUs it has, with and without its prefix") {
  CHECK(expected_gpus("ml.p5.48xlarge") == 8);
  CHECK(expected_gpus("p5.48xlarge") == 8);
  CHECK(expected_gpus("ml.p5.4xlarge") == 1);
  CHECK(expected_gpus("ml.p2.16xlarge") == 16);
  CHECK(expected_gpus("ml.g5.12xlarge") == 4);
  CHECK(expected_gpus("ml.g6e.48xlarge") == 8);
  CHECK(expected_gpus("ml.g7e.12xlarge") == 2);
  CHECK(expected_gpus("ml.p6e-gb200.36xlarge") == 4);
}

TEST_CASE("an instance type tells how many Elastic Fabric Adapters it has") {
  CHECK(expected_efa_devices("ml.p5.48xlarge") == 32);
  CHECK(expected_efa_devices("p4d.24xlarge") == 4);
  CHECK(expected_efa_devices("ml.g5.xlarge") == 0);
  CHECK(expected_efa_devices("ml.g5.8xlarge") == 1);
  CHECK_FALSE(expected_efa_devices("ml.m5.xlarge"));
}

TEST_CASE("nothing is expected of an unknown type") {
  CHECK_FALSE(expected_gpus("ml.m5.xlarge"));
  CHECK_FALSE(expected_gpus("ml.p5.48xlarge.extra"));
  CHECK_FALSE(expected_gpus("local_gpu"));
  CHECK_FALSE(expected_gpus(""));
}
