#include "job/other_files.h"

#include <doctest/doctest.h>

#include "temporary_directory.h"

using namespace trainit;

namespace {

/// What the job is after one more file was there.
TrainingJob read(std::string_view name, std::string_view content) {
  const TemporaryDirectory base;
  base.write("config/" + std::string(name), content);
  TrainingJob job;
  job.paths = Paths::below("/opt/ml");
  const auto config = job::ConfigDirectory::open(base / "config");
  REQUIRE(config);
  job::read_other_files(*config, job);
  return job;
}

std::string only_warning(std::string_view name, std::string_view content) {
  const TrainingJob job = read(name, content);
  REQUIRE(job.warnings.size() == 1);
  return job.warnings[0];
}

}  // namespace

TEST_CASE("the time limit of the job is a number or a text") {
  using std::chrono::seconds;
  constexpr const char* kFile = "trainingjobconfig.json";
  CHECK(read(kFile, R"({"StoppingCondition": {"MaxRuntimeInSeconds": 86400}})").max_runtime ==
        seconds(86400));
  CHECK(read(kFile, R"({"StoppingCondition": {"MaxRuntimeInSeconds": "3600"}})").max_runtime ==
        seconds(3600));
  CHECK_FALSE(read(kFile, R"({"StoppingCondition": null})").max_runtime);
  CHECK_FALSE(read(kFile, "{}").max_runtime);
  CHECK(read(kFile, R"({"StoppingCondition": {}})").warnings.empty());
  for (const char* wrong : {"\"soon\"", "0", "-1", "[]", "1e400", "99999999999999999999"}) {
    CAPTURE(wrong);
    const TrainingJob job = read(
        kFile, std::string(R"({"StoppingCondition": {"MaxRuntimeInSeconds": )") + wrong + "}}");
    CHECK_FALSE(job.max_runtime);
    CHECK(job.warnings.size() == 1);
  }
}

TEST_CASE("what has to hold others and cannot is ignored with a word") {
  const auto warnings = [](const char* file, const std::string& name, const std::string& value) {
    return read(file, "{\"" + name + "\": " + value + "}").warnings;
  };
  for (const char* wrong : {"[]", "\"x\"", "3"}) {
    CAPTURE(wrong);
    for (const char* name : {"StoppingCondition", "AlgorithmSpecification"}) {
      const auto told = warnings("trainingjobconfig.json", name, wrong);
      REQUIRE(told.size() == 1);
      CHECK(told[0].find(std::string("\"") + name + "\" is ") != std::string::npos);
    }
    CHECK(warnings("init-config.json", "jobRunInfo", wrong).size() == 1);
  }
}

TEST_CASE("a command in the job's request is seen") {
  constexpr const char* kFile = "trainingjobconfig.json";
  CHECK(read(kFile, R"({"AlgorithmSpecification": {"ContainerEntrypoint": ["/bin/bash"]}})")
            .container_command_given);
  CHECK(read(kFile, R"({"AlgorithmSpecification": {"ContainerArguments": ["-c", "x"]}})")
            .container_command_given);
  CHECK_FALSE(
      read(kFile,
           R"({"AlgorithmSpecification": {"ContainerEntrypoint": null, "ContainerArguments": []}})")
          .container_command_given);
}

TEST_CASE("the run number counts restarts") {
  CHECK(read("init-config.json", R"({"jobRunInfo": {"jobRunNumber": 2}})").run_number == 2);
  CHECK(read("init-config.json", R"({"jobRunInfo": {"jobRunNumber": "3"}})").run_number == 3);
  CHECK_FALSE(read("init-config.json", R"({"jobRunInfo": null})").run_number);
}

TEST_CASE("directories are where their files say, and at the platform's default without a path") {
  CHECK(read("checkpointconfig.json", R"({"LocalPath": "/state/"})").checkpoint_directory ==
        "/state/");
  CHECK(read("checkpointconfig.json", R"({"LocalPath": null})").checkpoint_directory ==
        "/opt/ml/checkpoints");
  CHECK(read("debughookconfig.json", R"({"S3OutputPath": "s3://b/p"})").debugger_directory ==
        "/opt/ml/output/tensors");
  CHECK(read("tensorboardoutputconfig.json", R"({"S3OutputPath": "s3://b/p"})")
            .tensorboard_directory == "/opt/ml/output/tensorboard");
  for (const char* unused : {"{}", "[]", "null"}) {
    CAPTURE(unused);
    const TrainingJob job = read("checkpointconfig.json", unused);
    CHECK(job.checkpoint_directory.empty());
    CHECK(job.warnings.empty());
  }
}

TEST_CASE("the profiler has a directory unless it is switched off") {
  constexpr const char* kFile = "profilerconfig.json";
  CHECK(read(kFile, R"({"ProfilingIntervalInMilliseconds": 500})").profiler_directory ==
        "/opt/ml/output/profiler");
  CHECK(read(kFile, R"({"DisableProfiler": true})").profiler_directory.empty());
  CHECK(read(kFile, R"({"DisableProfiler": "True"})").profiler_directory.empty());
  CHECK_FALSE(read(kFile, R"({"DisableProfiler": "false"})").profiler_directory.empty());
}

TEST_CASE("metric regexes are taken from texts and from a request's objects") {
  constexpr const char* kFile = "metric-definition-regex.json";
  CHECK(read(kFile, "[]").metric_regexes.empty());
  CHECK(read(kFile, R"(["loss (.*);", {"Name": "acc", "Regex": "acc (.*);"}, {"regex": "x"}])")
            .metric_regexes == std::vector<std::string>{"loss (.*);", "acc (.*);", "x"});
  const TrainingJob strange = read(kFile, R"([5, "loss"])");
  CHECK(strange.metric_regexes == std::vector<std::string>{"loss"});
  CHECK(strange.warnings.size() == 1);
}

TEST_CASE("an undocumented file that cannot be understood is a warning") {
  CHECK(only_warning("trainingjobconfig.json", "{").find("trainingjobconfig.json: line 1") !=
        std::string::npos);
  CHECK(only_warning("checkpointconfig.json", "[1]").find("its value is a list") !=
        std::string::npos);
  CHECK(only_warning("checkpointconfig.json", R"({"LocalPath": "state"})")
            .find("\"LocalPath\" is a string (\"state\"); it has to be an absolute path in UTF-8; "
                  "ignored") != std::string::npos);
  CHECK(only_warning("checkpointconfig.json", R"({"LocalPath": "/x/\ud800y"})")
            .find("it has to be an absolute path in UTF-8; ignored") != std::string::npos);
  CHECK(only_warning("init-config.json", R"({"jobRunInfo": {"jobRunNumber": "x"}})")
            .find("\"jobRunInfo.jobRunNumber\"") != std::string::npos);
  CHECK(only_warning("metric-definition-regex.json", "\"x\"").find("its value is a string") !=
        std::string::npos);
}
