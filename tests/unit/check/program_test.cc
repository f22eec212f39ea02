#include "check/program.h"

#include <sys/stat.h>

#include "temporary_directory.h"
#include "told.h"

using namespace trainit;
using namespace trainit::check;

namespace {

ProgramFacts facts_of(std::vector<std::string> argv, const std::string& directory = {},
                      const std::string& path = "/usr/bin:/bin") {
  Subject subject;
  subject.environment.set("PATH", path, "test");
  subject.command = Command();
  subject.command->argv = std::move(argv);
  subject.command->directory = directory;
  return program_facts(subject);
}

std::string script(const TemporaryDirectory& here, std::string_view name, std::string_view text,
                   mode_t mode = 0755) {
  const std::string path = here.write(name, text);
  REQUIRE(::chmod(path.c_str(), mode) == 0);
  return path;
}

}  // namespace

TEST_CASE("a program that is there can be run") {
  CHECK(facts_of({"sh", "-c", "true"}).error.empty());
  CHECK(facts_of({"/bin/sh"}).path == "/bin/sh");
  const TemporaryDirectory here;
  script(here, "t.sh", "#!/bin/sh\n");
  const ProgramFacts facts = facts_of({"./t.sh"}, here.path);
  CHECK(facts.error.empty());
  CHECK(facts.interpreter == "/bin/sh");
}

TEST_CASE("what the kernel would not start is told of before it tries") {
  const TemporaryDirectory here;
  struct Case {
    const char* text;
    mode_t mode;
    const char* words;
  };
  const Case cases[] = {
      {"#!/bin/sh\n", 0644, "it is not executable"},
      {"#!/bin/sh\r\n", 0755, "Windows line ends"},
      {"#!/usr/bin/env python3\r\n", 0755, "Windows line ends"},
      {"#!/nowhere/bash\n", 0755, "names /nowhere/bash, which is not in this image"},
      {"#!/usr/bin/env no-such-python\n", 0755, "asks for no-such-python, which is not in"},
      {"#!/usr/bin/env -S no-such-python -u\n", 0755, "asks for no-such-python, which is not in"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text);
    const std::string path = script(here, "t", one.text, one.mode);
    CHECK(facts_of({path}).error.find(one.words) != std::string::npos);
  }
  CHECK(facts_of({here / "none"}).error.find("there is no such file") != std::string::npos);
  CHECK(facts_of({"no-such-program"}).error.find("there is no such program") != std::string::npos);
  CHECK(facts_of({here.path}).error.find("it is a directory") != std::string::npos);
}

TEST_CASE("a text without a #! line cannot be run, unless the kernel knows formats of others") {
  const TemporaryDirectory here;
  const std::string error = facts_of({script(here, "t", "echo\n")}).error;
  const auto formats = sys::list_directory("/proc/sys/fs/binfmt_misc");
  const bool others = formats && formats->size() > 2;
  CHECK(error.empty() == others);
  CHECK(
      (others || error.find("neither a script with a #! line nor a program") != std::string::npos));
}

TEST_CASE("a program whose dynamic loader is not in the image cannot be run") {
  const TemporaryDirectory here;
  std::string binary = *sys::read_file("/bin/true");
  const std::size_t at = binary.find("/lib64/ld-linux");
  if (at == std::string::npos) return;  // another processor's, or a static one
  binary[at + 1] = 'L';
  CHECK(facts_of({script(here, "other", binary)}).error.find("dynamic loader") !=
        std::string::npos);
  CHECK(facts_of({"/bin/true"}).error.empty());
}

TEST_CASE("a program that cannot be run is an error, and none at all is skipped") {
  ProgramFacts facts;
  CHECK(judge_program(facts).skipped);
  facts.error = "there is nothing to run";
  check_told(judge_program(facts), {"error: there is nothing to run"});
  facts = {};
  facts.argv = {"x"};
  facts.warnings = {"running the command after --"};
  check_told(judge_program(facts), {"note: running the command after --"});
}
