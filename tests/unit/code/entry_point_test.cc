#include "code/entry_point.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "temporary_directory.h"

using namespace trainit;
using namespace trainit::code;

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// A code directory of a test's own.
struct Code : TemporaryDirectory {
  EntryPoint kind(const std::string& program) const { return entry_point_kind(path, program); }
  std::string why_refused(const std::string& program) const {
    const Result<void> checked = check_entry_point(path, program, "sagemaker_program");
    return checked ? "" : checked.error().message;
  }
  int exit_code(const std::string& program) const {
    return check_entry_point(path, program, "sagemaker_program").error().exit_code;
  }
};

}  // namespace

TEST_CASE("a script is run as its name says, whatever characters that has") {
  const Code code;
  for (const char* name : {"train.py", "-c.py", "my train.py", "größe.py", "train-1.5.py",
                           "src/deep/train.py", "src//train.py", ".hidden.py"}) {
    code.write(name, "");
    CHECK_MESSAGE(code.kind(name) == EntryPoint::kPython, name);
  }
  CHECK(code.kind(code / "train.py") == EntryPoint::kPython);
  for (const char* name : {"launch", "train.bin", "my launch", "123"}) {
    code.write(name, "");
    CHECK_MESSAGE(code.kind(name) == EntryPoint::kExecutable, name);
  }
}

TEST_CASE("a shell script has its own interpreter, or that of the system") {
  const Code code;
  code.write("train.sh", "#!/bin/bash\n");
  CHECK(code.kind("train.sh") == EntryPoint::kExecutable);
  code.write("train.sh", "echo\n");
  CHECK(code.kind("train.sh") == EntryPoint::kShell);
  code.write("setup.py", "");
  CHECK(code.kind("train.sh") == EntryPoint::kShell);
}

TEST_CASE(
    "a directory with __main__.py is a module, or run as a directory where its name is none") {
  const Code code;
  for (const char* name : {"pkg", "src/pkg", "my-pkg", "my pkg"}) {
    code.write(sys::join_path(name, "__main__.py"), "");
    CHECK_MESSAGE(code.kind(name) == EntryPoint::kModule, name);
  }
  CHECK(code.kind("./pkg/") == EntryPoint::kModule);
  code.write("__main__.py", "");
  // The module my.pkg would be this one.
  code.write("my/pkg/__main__.py", "");
  for (const char* name : {"my.pkg", "app.py", "app.sh", "app.py/"}) {
    code.write(sys::join_path(name, "__main__.py"), "");
    CHECK_MESSAGE(code.kind(name) == EntryPoint::kPython, name);
  }
  for (const char* name : {".", "./", "my.pkg/", "src//pkg", "src/../pkg"}) {
    code.write(sys::join_path(name, "__main__.py"), "");
    CHECK_MESSAGE(code.kind(name) == EntryPoint::kPython, name);
  }
  CHECK(code.kind(code / "pkg") == EntryPoint::kPython);
  code.write("data/file", "");
  CHECK(code.kind("data") == EntryPoint::kExecutable);
}

TEST_CASE(
    "beside a setup.py what can be imported is a module, and anything else what it is anyhow") {
  const Code code;
  code.write("setup.py", "");
  for (const char* file : {"train.py", "src/pkg/train.py", "my train.py", "größe.py", "-c.py",
                           "pkg/main/__main__.py", "train-1.5.py", "launch", "my.pkg/__main__.py"})
    code.write(file, "");
  for (const char* name : {"train.py", "./train.py", "train", "src/pkg/train.py", "src.pkg.train",
                           "my train.py", "größe.py", "-c.py", "pkg/main", "pkg.main", "pkg"}) {
    CHECK_MESSAGE(code.kind(name) == EntryPoint::kModule, name);
  }
  CHECK(code.kind("train-1.5.py") == EntryPoint::kPython);
  CHECK(code.kind("src//pkg/train.py") == EntryPoint::kPython);
  CHECK(code.kind(code / "train.py") == EntryPoint::kPython);
  CHECK(code.kind("my.pkg") == EntryPoint::kPython);
  CHECK(code.kind("launch") == EntryPoint::kExecutable);
}

TEST_CASE("a module's name has dots for slashes, and no ending") {
  CHECK(module_name("src/pkg/train.py") == "src.pkg.train");
  CHECK(module_name("./train.py") == "train");
  CHECK(module_name("pkg/") == "pkg");
  CHECK(module_name("pkg.main") == "pkg.main");
}

TEST_CASE("what is there is accepted, and a module where it may be named as one") {
  const Code code;
  code.write("pkg/main.py", "");
  CHECK(code.why_refused("pkg/main.py").empty());
  CHECK(code.why_refused("pkg").empty());
  CHECK(code.why_refused("pkg.main").find("does not exist") != std::string::npos);
  code.write("setup.py", "");
  CHECK(code.why_refused("pkg.main").empty());
}

TEST_CASE("what is not there is named with what is") {
  const Code code;
  const std::string missing = "train (sagemaker_program) does not exist in " + code.path + ": ";
  CHECK(code.why_refused("train") == missing + "it is empty");
  CHECK(code.exit_code("train") == 127);
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) code.write(name, "");
  CHECK(code.why_refused("train") == missing + "it has a, b, c, d, e, f, g, h");
  code.write("i", "");
  CHECK(code.why_refused("train") == missing + "it has a, b, c, d, e, f, g, h, …");
  code.write("train.py", "");
  CHECK(code.why_refused("train") == missing + "did you mean train.py?");
}

TEST_CASE("a name that leads to nothing says what is wrong with it") {
  const Code code;
  REQUIRE(::symlink("elsewhere.py", (code / "train.py").c_str()) == 0);
  REQUIRE(::symlink("ring.py", (code / "ring.py").c_str()) == 0);
  CHECK(code.why_refused("train.py") ==
        "train.py (sagemaker_program) in " + code.path + " is a dangling link to elsewhere.py");
  CHECK(code.exit_code("train.py") == 127);
  CHECK(code.why_refused("ring.py") ==
        "ring.py (sagemaker_program) in " + code.path +
            " cannot be reached: Too many levels of symbolic links (ELOOP)");
  CHECK(code.exit_code("ring.py") == 126);
}

TEST_CASE("a first line that nobody would understand is refused, where somebody would read it") {
  const TemporaryDirectory directory;
  const auto exit_code = [&](const std::string& content, EntryPoint kind) {
    const Result<void> checked = check_first_line(directory.write("script", content), kind);
    return checked ? 0 : checked.error().exit_code;
  };
  const std::string marked = std::string(kByteOrderMark) + "#!/bin/sh\n";
  CHECK(exit_code("#!/bin/sh\n", EntryPoint::kExecutable) == 0);
  CHECK(exit_code("#!/bin/sh\r\n", EntryPoint::kExecutable) == 127);
  CHECK(exit_code("echo\r\n", EntryPoint::kShell) == 127);
  CHECK(exit_code("\x7f"
                  "ELF\r\n",
                  EntryPoint::kExecutable) == 0);
  CHECK(exit_code(marked, EntryPoint::kExecutable) == 126);
  CHECK(exit_code(marked, EntryPoint::kShell) == 126);
}

TEST_CASE("Windows line ends behind the first line of a shell's script are a warning") {
  const TemporaryDirectory directory;
  const auto warning = [&](const std::string& content, EntryPoint kind) {
    return warning_of_line_ends(directory.write("script", content), kind);
  };
  const std::string expected = "line 3 of " + directory / "script" +
                               " has a Windows line end, whose CR a shell takes for a part of the "
                               "last word; save the file with LF";
  CHECK(warning("#!/bin/bash\nset -e\necho\r\n", EntryPoint::kExecutable) == expected);
  CHECK(warning("cd /\n\necho\r\n", EntryPoint::kShell) == expected);
  CHECK(warning("#!/bin/bash\nset -e\necho\n", EntryPoint::kExecutable).empty());
  CHECK(warning("#!/usr/bin/python3\n\nprint()\r\n", EntryPoint::kExecutable).empty());
  CHECK(warning("\n\nprint()\r\n", EntryPoint::kPython).empty());
}
