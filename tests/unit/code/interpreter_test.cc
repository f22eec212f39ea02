#include "code/interpreter.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "temporary_directory.h"

using namespace trainit;
using namespace trainit::code;

namespace {

/// An image in a directory, where the test is while it looks.
struct Image : TemporaryDirectory {
  Options options;
  Environment environment;
  std::string before = sys::working_directory();

  Image() {
    set("PATH", *this / "bin");
    REQUIRE(::chdir(path.c_str()) == 0);
  }
  Image(const Image&) = delete;
  ~Image() { [[maybe_unused]] const int back = ::chdir(before.c_str()); }

  void set(const std::string& name, const std::string& value) {
    environment.set(name, value, "inherited");
  }
  std::string add_program(const std::string& name, mode_t mode = 0755) const {
    const std::string file = write(name, "#!/bin/sh\n");
    write_file(file, "#!/bin/sh\n", mode);
    return file;
  }
  Result<std::string> find() const { return find_python(options, environment, *this / "code"); }
  std::string why_not() const {
    const Result<std::string> found = find();
    return found ? "found " + *found : found.error().message;
  }
};

/// An image of this machine may have one where images keep theirs.
bool has_usual_python() {
  for (const char* directory : {"/opt/venv", "/venv", "/opt/conda"}) {
    if (sys::exists(std::string(directory) + "/bin/python")) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("the Python that was named is taken, the option's before the variable's") {
  Image image;
  const std::string a = image.add_program("a/python"), b = image.add_program("bin/b");
  image.add_program("bin/python3");
  image.set("SAGEMAKER_PYTHON", "b");
  CHECK(*image.find() == b);
  image.options.python = "a/python";
  CHECK(*image.find() == a);
}

TEST_CASE("the nearest environment is found, and from where we are also by a relative name") {
  Image image;
  const std::string own = image.add_program("code/.venv/bin/python");
  CHECK(*image.find() == own);
  const std::string conda = image.add_program("conda/bin/python");
  image.set("CONDA_PREFIX", "conda");
  CHECK(*image.find() == conda);
  const std::string virtual_one = image.add_program("venv/bin/python");
  image.set("VIRTUAL_ENV", "venv");
  CHECK(*image.find() == virtual_one);
  image.set("VIRTUAL_ENV", image / "venv");
  CHECK(*image.find() == virtual_one);
  write_file(virtual_one, "", 0644);
  CHECK(*image.find() == conda);
}

TEST_CASE("python3 goes before python, and a relative entry of PATH is seen from where we are") {
  if (has_usual_python()) return;
  Image image;
  image.set("PATH", "bin");
  CHECK(image.why_not() == "the image has no Python (looked for: python3, python in bin)");
  CHECK(image.find().error().exit_code == 127);
  image.add_program("bin/python");
  CHECK(image.find()->ends_with("/bin/python"));
  CHECK(image.find()->starts_with(image.path));
  image.add_program("bin/python3");
  CHECK(image.find()->ends_with("/bin/python3"));
}

TEST_CASE("a Python that was named and cannot be run says why, and whether it is there") {
  Image image;
  const auto named = [&](const std::string& name) {
    image.options.python = name;
    const std::string words = "the Python that --python names, " + name + ", cannot be run: ";
    const std::string why = image.why_not();
    REQUIRE_MESSAGE(why.starts_with(words), why);
    return std::to_string(image.find().error().exit_code) + " " + why.substr(words.size());
  };
  image.add_program("plain", 0644);
  image.add_program("bin/plain3", 0644);
  REQUIRE(::symlink("/no/python3", (image / "link").c_str()) == 0);
  CHECK(named("/no/python") == "127 there is no such file");
  CHECK(named("python9") == "127 there is no such program in " + image / "bin");
  CHECK(named("./link") == "127 it is a dangling link to /no/python3");
  CHECK(named("./plain") == "126 it is not executable: chmod +x it");
  CHECK(named("plain3").starts_with("126 "));
  CHECK(named(image.path) == "126 it is a directory");
  image.options.python = "";
  image.set("SAGEMAKER_PYTHON", "./plain");
  CHECK(image.why_not() ==
        "the Python that SAGEMAKER_PYTHON names, ./plain, cannot be run: it is not executable: "
        "chmod +x it");
}
