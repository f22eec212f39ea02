#include "trainit/training_job.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "temporary_directory.h"

using namespace trainit;

namespace {

constexpr uid_t kNobody = 65534;

Environment below(const std::string& base) {
  Environment environment;
  environment.set("SAGEMAKER_BASE_DIR", base, "test");
  return environment;
}

/// A job directory with the three documented files.
struct JobDirectory : TemporaryDirectory {
  JobDirectory() {
    config("hyperparameters.json", R"({"epochs": "3"})");
    config("inputdataconfig.json", R"({"train": {}})");
    config("resourceconfig.json", R"({"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]})");
  }
  void config(std::string_view name, std::string_view content) const {
    write("input/config/" + std::string(name), content);
  }
  Result<TrainingJob> load() const { return TrainingJob::load(below(path)); }
  std::string error() const {
    const Result<TrainingJob> job = load();
    REQUIRE_FALSE(job);
    return job.error().message;
  }
};

/// Runs the rest of a scope without root's rights; for a user without them it changes nothing.
class AsNobody {
 public:
  AsNobody() : before_(::geteuid()) {
    if (before_ == 0) REQUIRE(::seteuid(kNobody) == 0);
  }
  AsNobody(const AsNobody&) = delete;
  ~AsNobody() {
    if (::seteuid(before_) != 0) ::abort();
  }
  std::string uid() const { return "uid " + std::to_string(::geteuid()); }

 private:
  uid_t before_;
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the job of the seed slides is read as its author meant it") {
  Environment environment = below(TRAINIT_FIXTURES "/seed-job");
  environment.set("TRAINING_JOB_NAME", "digits-2026-11-23-10-00-00-000", "test");
  environment.set("TRAINING_JOB_ARN", "arn:aws:sagemaker:us-east-1:1:training-job/digits", "test");
  const auto job = TrainingJob::load(environment);
  REQUIRE(job);
  CHECK(*job->hyperparameters.integer("epochs", 0) == 10);
  CHECK(*job->hyperparameters.integer("batch-size", 0) == 64);
  CHECK(*job->hyperparameters.number("learning-rate", 0) == 0.1);
  CHECK(job->hyperparameters.user().size() == 3);
  CHECK(job->hyperparameters.framework().empty());
  CHECK(job->hyperparameters.platform_text("sagemaker_program") == "train.py");
  REQUIRE(job->channels.size() == 2);
  CHECK(job->channels[0].name == "train");
  CHECK(job->channels[1].name == "test");
  CHECK(job->channel("test")->path == TRAINIT_FIXTURES "/seed-job/input/data/test");
  CHECK(job->channel("validation") == nullptr);
  CHECK(job->resources.current_host == "algo-1");
  CHECK(job->resources.instance_type == "ml.m5.xlarge");
  CHECK(job->name == "digits-2026-11-23-10-00-00-000");
  CHECK(job->arn == "arn:aws:sagemaker:us-east-1:1:training-job/digits");
  CHECK(job->on_platform);
  CHECK(job->warnings.empty());
}

TEST_CASE("without a platform one host trains with defaults, and one warning says so") {
  const TemporaryDirectory base;
  const auto job = TrainingJob::load(below(base / "none"));
  REQUIRE(job);
  CHECK_FALSE(job->on_platform);
  CHECK(job->resources.hosts.size() == 1);
  CHECK_FALSE(job->resources.from_platform);
  CHECK(job->channels.empty());
  CHECK(job->hyperparameters.user().empty());
  REQUIRE(job->warnings.size() == 1);
  CHECK(
      contains(job->warnings[0], base / "none/input/config is not there; going on with one host"));
  CHECK_FALSE(sys::exists(base / "none"));
}

TEST_CASE("a named job without its directory is told that the platform should have written it") {
  const TemporaryDirectory base;
  Environment environment = below(base.path);
  environment.set("TRAINING_JOB_NAME", "digits", "test");
  const auto job = TrainingJob::load(environment);
  REQUIRE(job);
  CHECK(job->on_platform);
  REQUIRE(job->warnings.size() == 1);
  CHECK(contains(job->warnings[0], "TRAINING_JOB_NAME is \"digits\""));
  CHECK(contains(job->warnings[0], "the platform should have written"));
}

TEST_CASE("who has not read the job says the same of the platform as who has") {
  for (const char* name : {"", "digits"}) {
    for (const bool configured : {false, true}) {
      CAPTURE(name);
      CAPTURE(configured);
      const TemporaryDirectory base;
      if (configured) base.write("input/config/other.json", "{}");
      Environment environment = below(base.path);
      environment.set("TRAINING_JOB_NAME", name, "test");
      const bool on_platform = configured || *name != '\0';
      CHECK(TrainingJob::unread(environment).on_platform == on_platform);
      const auto job = TrainingJob::load(environment);
      REQUIRE(job);
      CHECK(job->on_platform == on_platform);
    }
  }
}

TEST_CASE("each file that is missing is a warning of its own") {
  const TemporaryDirectory base;
  base.write("input/config/other.json", "{}");
  const auto job = TrainingJob::load(below(base.path));
  REQUIRE(job);
  CHECK(job->on_platform);
  REQUIRE(job->warnings.size() == 3);
  CHECK(contains(job->warnings[0], "resourceconfig.json is not there"));
  CHECK(contains(job->warnings[1], "hyperparameters.json is not there"));
  CHECK(contains(job->warnings[2], "inputdataconfig.json is not there"));
}

TEST_CASE("an empty file of channels is no channels; any other empty file is an error") {
  const JobDirectory job;
  job.config("inputdataconfig.json", "\n");
  const auto loaded = job.load();
  REQUIRE(loaded);
  CHECK(loaded->channels.empty());
  REQUIRE(loaded->warnings.size() == 1);
  CHECK(contains(loaded->warnings[0], "inputdataconfig.json is empty"));
  job.config("inputdataconfig.json", "\xEF\xBB\xBF\r\n");
  CHECK(job.load()->channels.empty());
  job.config("hyperparameters.json", "");
  CHECK(job.error() ==
        job / "input/config/hyperparameters.json: the file is empty; it has to hold JSON");
}

TEST_CASE("a byte order mark and Windows line ends do no harm") {
  const JobDirectory job;
  job.config("hyperparameters.json", "\xEF\xBB\xBF{\r\n  \"epochs\": \"7\"\r\n}\r\n");
  const auto loaded = job.load();
  REQUIRE(loaded);
  CHECK(*loaded->hyperparameters.integer("epochs", 0) == 7);
}

TEST_CASE("a malformed file is an error with file, line and column") {
  const JobDirectory job;
  job.config("hyperparameters.json", "{\"a\": \"1\",\n  \"b\": \"2\"\n  \"c\": \"3\"}");
  CHECK(job.error().starts_with(job / "input/config/hyperparameters.json: line 3, column 3: "));
}

TEST_CASE("what is wrong inside a documented file is an error that begins with the file") {
  for (const char* name : {"hyperparameters.json", "inputdataconfig.json", "resourceconfig.json"}) {
    const JobDirectory job;
    job.config(name, "[]");
    CHECK(job.error() ==
          job / "input/config/" + name + ": the file's value is a list; it has to be an object");
  }
}

TEST_CASE("a directory that this user cannot enter is an error with uid, mode and a way out") {
  const JobDirectory job;
  const std::string config = job / "input/config";
  REQUIRE(::chmod(job.path.c_str(), 0755) == 0);
  REQUIRE(::chmod(config.c_str(), 0644) == 0);
  const AsNobody nobody;
  const std::string error = job.error();
  CHECK(
      error.starts_with(config + ": " + nobody.uid() + " cannot enter this directory (mode 0644"));
  CHECK(contains(error, "--user"));
}

TEST_CASE("a closed directory on the way is named itself") {
  const JobDirectory job;
  REQUIRE(::chmod(job.path.c_str(), 0755) == 0);
  REQUIRE(::chmod((job / "input").c_str(), 0600) == 0);
  const AsNobody nobody;
  CHECK(job.error().starts_with(job / "input: " + nobody.uid()));
}

TEST_CASE("a file that this user cannot read is an error with uid and mode") {
  const JobDirectory job;
  const std::string file = job / "input/config/resourceconfig.json";
  REQUIRE(::chmod(job.path.c_str(), 0755) == 0);
  REQUIRE(::chmod(file.c_str(), 0000) == 0);
  const AsNobody nobody;
  CHECK(job.error().starts_with(file + ": " + nobody.uid() + " cannot read this file (mode 0000"));
}

TEST_CASE("a file in the place of the directory is an error") {
  const TemporaryDirectory base;
  base.write("input/config", "");
  const auto job = TrainingJob::load(below(base.path));
  REQUIRE_FALSE(job);
  CHECK(job.error().message == base / "input/config: it has to be a directory, and is none");
}
