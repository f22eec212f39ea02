#include "job/directories.h"

#include <doctest/doctest.h>

#include "temporary_directory.h"

using namespace trainit;

TEST_CASE("what workers write into is made, and nothing else") {
  const TemporaryDirectory base;
  TrainingJob job;
  job.paths = Paths::below(base / "ml");
  job.checkpoint_directory = base / "state/checkpoints/";
  REQUIRE(job::prepare_directories(job));
  REQUIRE(job::prepare_directories(job));
  CHECK(*sys::list_directory(base / "ml") == std::vector<std::string>{"model", "output"});
  CHECK(sys::is_directory(job.paths.output_data));
  CHECK(sys::is_directory(job.checkpoint_directory));
  CHECK(job::writable_directories(job) ==
        std::vector<std::string>{job.paths.model, job.paths.output, job.checkpoint_directory});
}

TEST_CASE("a directory that cannot be made is an error with its path") {
  const TemporaryDirectory base;
  base.write("model", "a file");
  TrainingJob job;
  job.paths = Paths::below(base.path);
  const auto prepared = job::prepare_directories(job);
  REQUIRE_FALSE(prepared);
  CHECK(prepared.error().message.find(job.paths.model) != std::string::npos);
}
