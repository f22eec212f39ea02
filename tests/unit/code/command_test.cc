#include "code/command.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "temporary_directory.h"

using namespace trainit;

namespace {

using Words = std::vector<std::string>;

/// A job with its code, and a Python that need not be run.
struct Given : TemporaryDirectory {
  TrainingJob job = TrainingJob::unread({});
  Options options;
  Environment inherited;

  Given() {
    job.paths.code = *this / "code";
    REQUIRE(sys::make_directories(job.paths.code));
    options.python = "/bin/sh";
  }
  void choose(Json::Object hyperparameters) {
    job.hyperparameters = *Hyperparameters::from_json(Json(std::move(hyperparameters)));
  }
  void script(const std::string& name) { choose({{"sagemaker_program", Json(name)}}); }
  Command command(const Words& line = {}) const {
    Result<Command> found = find_command(line, job, options, inherited);
    REQUIRE_MESSAGE(found, (found ? "" : found.error().message));
    return std::move(*found);
  }
  std::string why_not() const {
    const Result<Command> found = find_command({}, job, options, inherited);
    return found ? "found" : found.error().message;
  }
};

}  // namespace

TEST_CASE("a command is taken as it is, and wins over a script with a word") {
  Given given;
  CHECK(given.command({"echo", "$x y"}).argv == Words{"echo", "$x y"});
  CHECK(given.command({"echo"}).warnings.empty());
  given.script("train.py");
  const Command command = given.command({"echo"});
  CHECK(command.argv == Words{"echo"});
  CHECK_FALSE(command.script_mode);
  CHECK(command.warnings == Words{"running the command after --, not sagemaker_program train.py"});
  given.inherited.set("SAGEMAKER_PROGRAM", "other.py", "inherited");
  CHECK(given.command({"echo"}).warnings ==
        Words{"running the command after --, not SAGEMAKER_PROGRAM other.py"});
}

TEST_CASE("a script gets its interpreter, its directory and the hyperparameters") {
  Given given;
  given.write("code/train.py", "");
  given.choose({{"sagemaker_program", Json("train.py")}, {"epochs", Json("3")}});
  given.inherited.set("PYTHONPATH", "/a", "inherited");
  const Command command = given.command();
  CHECK(command.script_mode);
  CHECK(command.argv == Words{"/bin/sh", "train.py", "--epochs", "3"});
  CHECK(command.arguments == Words{"--epochs", "3"});
  CHECK(command.directory == given / "code");
  CHECK(command.python_path == given / "code" + ":/a");
  CHECK(command.program.name == "train.py");
}

TEST_CASE("each kind of script has its own words") {
  Given given;
  const auto words = [&](const std::string& name) {
    given.script(name);
    return given.command().argv;
  };
  for (const char* file : {"-c.py", "plain.sh", "pkg/__main__.py", "my.pkg/__main__.py", "launch"})
    given.write("code/" + std::string(file), "");
  CHECK(words("-c.py") == Words{"/bin/sh", "--", "-c.py"});
  CHECK(words("plain.sh") == Words{"/bin/sh", "./plain.sh"});
  CHECK(words("pkg") == Words{"/bin/sh", "-m", "pkg"});
  CHECK(words("my.pkg/") == Words{"/bin/sh", "my.pkg/"});
  CHECK(words("launch") == Words{"./launch"});
  CHECK(words(given / "code/launch") == Words{given / "code/launch"});
}

TEST_CASE("a lost executable bit of the code directory is given back when it is asked for") {
  Given given;
  const std::string file = given.write("code/launch", "");
  given.script("launch");
  Command command = given.command();
  CHECK(command.not_yet_executable == file);
  struct stat status = {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0111) == 0);
  code::make_executable(command);
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0111) == 0111);
  CHECK(given.command().not_yet_executable.empty());
}

TEST_CASE("a script that is not there is blamed on who named it") {
  Given given;
  given.script("train.py");
  CHECK(given.why_not().starts_with("train.py (sagemaker_program) does not exist in "));
  given.inherited.set("SAGEMAKER_PROGRAM", "other.py", "inherited");
  CHECK(given.why_not().starts_with("other.py (SAGEMAKER_PROGRAM) does not exist in "));
}

TEST_CASE("with nothing to run it is said what could be given") {
  const Given given;
  CHECK(given.why_not().starts_with("there is nothing to run: "));
}

TEST_CASE("a distribution that is not set up is a warning, unless another is") {
  for (const char* name :
       {"sagemaker_multi_worker_mirrored_strategy_enabled", "sagemaker_parameter_server_enabled",
        "sagemaker_pytorch_xla_multi_worker_enabled"}) {
    Given given;
    given.write("code/train.py", "");
    given.choose({{"sagemaker_program", Json("train.py")}, {name, Json("true")}});
    const Command command = given.command();
    CHECK_FALSE(command.distributed);
    CHECK(command.warnings ==
          Words{name + std::string(" asks for a distribution that this trainit "
                                   "does not set up: each host runs the script "
                                   "as it is, without TF_CONFIG and the like")});
    given.choose({{"sagemaker_program", Json("train.py")},
                  {name, Json("true")},
                  {"sagemaker_torch_distributed_enabled", Json("true")}});
    CHECK(given.command().warnings.empty());
    given.choose({{"sagemaker_program", Json("train.py")}, {name, Json("false")}});
    CHECK(given.command().warnings.empty());
  }
}

TEST_CASE("what a script will miss is a warning") {
  Given given;
  given.write("code/train.sh", "#!/bin/sh\necho\r\n");
  for (const char* file : {"requirements.txt", "setup.py", "pyproject.toml"})
    given.write(std::string("code/") + file, "");
  given.script("train.sh");
  const Words warnings = given.command().warnings;
  REQUIRE(warnings.size() == 4);
  CHECK(warnings[0].starts_with(given / "code/requirements.txt is not installed"));
  CHECK(warnings[1].starts_with(given / "code/setup.py is not installed"));
  CHECK(warnings[2].starts_with(given / "code/pyproject.toml is not installed"));
  CHECK(warnings[3].starts_with("line 2 of " + given / "code/train.sh"));
}
