#include "code/code_directory.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "temporary_directory.h"

using namespace trainit;
using namespace trainit::code;

namespace {

/// A job with its code in a directory of its own, where the test is while it looks.
struct Job : TemporaryDirectory {
  TrainingJob job;
  std::string before = sys::working_directory();

  Job() {
    job.paths.code = *this / "code";
    write("code/train.py", "");
    REQUIRE(::chdir(path.c_str()) == 0);
  }
  Job(const Job&) = delete;
  ~Job() { [[maybe_unused]] const int back = ::chdir(before.c_str()); }

  void submit(const std::string& address) {
    job.hyperparameters = *Hyperparameters::from_json(
        Json(Json::Object{{"sagemaker_submit_directory", Json(address)}}));
  }
  /// The directory, or the sentence why there is none.
  std::string found() const {
    const Result<std::string> directory = code_directory(job);
    return directory ? *directory : directory.error().message;
  }
  std::string found(const std::string& address) {
    submit(address);
    return found();
  }
};

}  // namespace

TEST_CASE("the code is where the job has it, or where its hyperparameter says") {
  Job job;
  job.write("src/train.py", "");
  job.write("localhost/src/train.py", "");
  CHECK(job.found() == job / "code");
  CHECK(job.found("") == job / "code");
  CHECK(job.found("src") == job / "src");
  CHECK(job.found(job / "src") == job / "src");
  CHECK(job.found("file://" + job / "src") == job / "src");
  CHECK(job.found("file://localhost" + job / "src") == job / "src");
  CHECK(job.found("localhost/src") == job / "localhost/src");
}

TEST_CASE("code in S3 is that of the image, where there is some") {
  Job job;
  CHECK(job.found("s3://bucket/key") == job / "code");
  REQUIRE(::unlink((job / "code/train.py").c_str()) == 0);
  CHECK(job.found("s3://bucket/key").find("does not fetch code from S3") != std::string::npos);
}

TEST_CASE("an archive's code is that of the image, where there is some") {
  Job job;
  const std::string archive = job.write("sourcedir.tar.gz", "");
  CHECK(job.found(archive) == job / "code");
  CHECK(job.found("file://" + archive) == job / "code");
  REQUIRE(::unlink((job / "code/train.py").c_str()) == 0);
  CHECK(job.found(archive) ==
        "sagemaker_submit_directory is " + archive +
            ", and this trainit does not unpack archives: put the code into the image at " +
            job / "code, or pass it, unpacked, as an input channel and name its directory");
  job.write("unpacked.tgz/train.py", "");
  CHECK(job.found("unpacked.tgz") == job / "unpacked.tgz");
  CHECK(job.found("gone.tar.gz") ==
        "the code directory gone.tar.gz (sagemaker_submit_directory) does not exist");
}

TEST_CASE("a code directory that is none blames the hyperparameter only where that is set") {
  Job job;
  job.write("archive.zip", "");
  REQUIRE(::symlink("gone", (job / "link").c_str()) == 0);
  REQUIRE(::symlink("ring", (job / "ring").c_str()) == 0);
  const std::string set = " (sagemaker_submit_directory) ";
  CHECK(job.found("none") == "the code directory none" + set + "does not exist");
  CHECK(job.found("link") == "the code directory link" + set + "is a dangling link to gone");
  CHECK(job.found("ring") == "the code directory ring" + set +
                                 "cannot be reached: Too many levels of symbolic links (ELOOP)");
  CHECK(job.found("archive.zip") ==
        "the code directory archive.zip" + set +
            "is a file: expected a directory; unpack an archive when the image is built");
  CHECK(job.found("ftp://host/x").find("expected a local directory or a file:// address") !=
        std::string::npos);
  job.job.paths.code = job / "nowhere";
  CHECK(job.found("") == "the code directory " + job / "nowhere" + " does not exist");
}
