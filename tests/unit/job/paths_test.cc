#include "trainit/paths.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "temporary_directory.h"

using namespace trainit;

TEST_CASE("a job lives below /opt/ml unless the environment says where") {
  Environment environment;
  CHECK(Paths::from(environment).base == "/opt/ml");
  environment.set("SAGEMAKER_BASE_DIR", "", "test");
  CHECK(Paths::from(environment).base == "/opt/ml");
  environment.set("SAGEMAKER_BASE_DIR", "/job/", "test");
  CHECK(Paths::from(environment).base == "/job");
}

TEST_CASE("every directory has the place that the platform gives it") {
  const Paths paths = Paths::below("/opt/ml");
  CHECK(paths.code == "/opt/ml/code");
  CHECK(paths.model == "/opt/ml/model");
  CHECK(paths.input == "/opt/ml/input");
  CHECK(paths.input_config == "/opt/ml/input/config");
  CHECK(paths.input_data == "/opt/ml/input/data");
  CHECK(paths.output == "/opt/ml/output");
  CHECK(paths.output_data == "/opt/ml/output/data");
  CHECK(paths.output_intermediate == "/opt/ml/output/intermediate");
  CHECK(paths.failure == "/opt/ml/output/failure");
  CHECK(paths.success == "/opt/ml/output/success");
  CHECK(Paths::below("/").model == "/model");
}

TEST_CASE("a relative base directory still means the same in a worker's directory") {
  char here[4096];
  REQUIRE(::getcwd(here, sizeof here) != nullptr);
  Environment environment;
  environment.set("SAGEMAKER_BASE_DIR", "some/job", "test");
  CHECK(Paths::from(environment).model == std::string(here) + "/some/job/model");
}
