#include "check/python.h"

#include "temporary_directory.h"
#include "told.h"

using namespace trainit;
using namespace trainit::check;

namespace {

using Kind = PythonCall::Kind;

PythonFacts with_missing(std::vector<MissingModule> missing) {
  PythonFacts facts;
  facts.used = true;
  facts.version = "3.11.2";
  facts.program = "train.py";
  facts.missing = std::move(missing);
  return facts;
}

/// What the probe finds for a command of Python in this directory.
PythonFacts facts_of(const TemporaryDirectory& here, const std::vector<std::string>& arguments) {
  Subject subject;
  subject.environment.set("PATH", "/usr/bin:/bin", "test");
  subject.command = Command();
  subject.command->argv = {"/usr/bin/python3"};
  subject.command->argv.insert(subject.command->argv.end(), arguments.begin(), arguments.end());
  subject.command->directory = here.path;
  PythonFacts facts = python_facts(subject, true);
  CHECK(facts.trouble == "");
  return facts;
}

/// For a script of this text, with what lies beside it.
PythonFacts looked_at(const TemporaryDirectory& here, std::string_view text) {
  here.write("train.py", text);
  return facts_of(here, {"train.py"});
}

/// "train.py:1 a", "train.py:2 b?" in a function, "train.py:3 c!" where it is caught.
std::vector<std::string> missing_in(const PythonFacts& facts) {
  std::vector<std::string> all;
  for (const MissingModule& one : facts.missing) {
    const std::string file = one.file.substr(one.file.rfind('/') + 1);
    all.push_back(file + ":" + std::to_string(one.line) + " " + one.module +
                  (one.runs == Runs::kMaybe     ? "?"
                   : one.runs == Runs::kGuarded ? "!"
                                                : ""));
  }
  return all;
}

}  // namespace

TEST_CASE("what a command makes Python run") {
  struct Case {
    std::vector<std::string> argv;
    Kind kind;
    const char* name;  ///< null: it runs no Python
  };
  const Case cases[] = {
      {{"python3", "train.py", "-m", "x"}, Kind::kScript, "train.py"},
      {{"/opt/conda/bin/python3.11", "-u", "t.py"}, Kind::kScript, "t.py"},
      {{"python", "-W", "ignore", "-X", "dev", "t.py"}, Kind::kScript, "t.py"},
      {{"python", "-Wignore", "t.py"}, Kind::kScript, "t.py"},
      {{"python", "--", "-c.py"}, Kind::kScript, "-c.py"},
      {{"python", "-m", "pkg.train", "--x"}, Kind::kModule, "pkg.train"},
      {{"python", "-um", "pkg.train"}, Kind::kModule, "pkg.train"},
      {{"pypy3", "-cimport a"}, Kind::kCode, "import a"},
      {{"python3", "-c", "import a"}, Kind::kCode, "import a"},
      {{"python3"}, Kind::kScript, nullptr},
      {{"python3", "-"}, Kind::kScript, nullptr},
      {{"python3", "-m"}, Kind::kScript, nullptr},
      {{"python3", "--"}, Kind::kScript, nullptr},
      {{"python3", "-V"}, Kind::kScript, nullptr},
      {{"sh", "-c", "python3 t.py"}, Kind::kScript, nullptr},
      {{"pythonic", "t.py"}, Kind::kScript, nullptr},
      {{}, Kind::kScript, nullptr},
  };
  for (const Case& one : cases) {
    CAPTURE(one.argv);
    const auto call = python_call(one.argv);
    REQUIRE(call.has_value() == (one.name != nullptr));
    if (!call) continue;
    CHECK(call->kind == one.kind);
    CHECK(call->name == one.name);
    CHECK(call->interpreter == one.argv[0]);
  }
}

TEST_CASE("what is missing weighs by how sure it is that it is needed") {
  check_told(judge_python(with_missing({{"a", "t.py", 3, Runs::kAlways},
                                        {"b", "t.py", 4, Runs::kMaybe},
                                        {"c", "t.py", 5, Runs::kGuarded}})),
             {"error: t.py:3 imports a,", "warning: t.py:4 imports b,", "note: t.py:5 imports c,"});
}

TEST_CASE("a module that is missing in several places is one finding, of the surest place") {
  check_told(judge_python(with_missing({{"a", "t.py", 3, Runs::kGuarded},
                                        {"a", "u.py", 4, Runs::kAlways},
                                        {"a", "v.py", 5, Runs::kMaybe}})),
             {"error: u.py:4 imports a, which is not installed (and 2 more places)"});
}

TEST_CASE("a program that changes sys.path may find what is missing") {
  PythonFacts facts =
      with_missing({{"a", "t.py", 3, Runs::kAlways}, {"b", "t.py", 4, Runs::kGuarded}});
  facts.changes_path = true;
  check_told(judge_python(facts), {"warning: t.py:3 imports a", "note: t.py:4 imports b"});
  const TemporaryDirectory here;
  CHECK_FALSE(looked_at(here, "import sys\nsys.argv.pop()\nprint(os.path)\n").changes_path);
  CHECK(looked_at(here, "import sys\nsys.path.insert(0, '/x')\n").changes_path);
}

TEST_CASE("a package with another name than its module is named") {
  const AreaReport report = judge_python(with_missing({{"cv2", "t.py", 1, Runs::kAlways}}));
  CHECK(report.findings[0].remedy.find("pip install opencv-python)") != std::string::npos);
}

TEST_CASE("a Python that cannot be asked is a warning, and no Python is skipped") {
  PythonFacts facts;
  CHECK(judge_python(facts).skipped);
  facts.used = true;
  facts.trouble = "python3 ended with code 1";
  check_told(judge_python(facts), {"warning: the imports"});
}

TEST_CASE("an answer of another form is an error, and members of another kind are left out") {
  CHECK_FALSE(parse_probe_answer(""));
  CHECK_FALSE(parse_probe_answer("[]"));
  CHECK_FALSE(parse_probe_answer("Traceback"));
  const auto odd = parse_probe_answer(R"({"missing": 1, "packages": {"torch": 2}, "files": "x"})");
  REQUIRE(odd);
  CHECK(odd->packages.empty());
  CHECK_FALSE(odd->torch_cuda);
}

TEST_CASE("imports are found wherever they stand, and told apart") {
  const TemporaryDirectory here;
  const PythonFacts facts = looked_at(here, R"(import os, first
from second.part import thing as other
import json as j; import third.fourth
def later():
    import fifth
class Now:
    import sixth
if other:
    import seventh
try:
    import eighth
except (OSError, ImportError):
    import ninth
finally:
    import tenth
try:
    import eleventh
except OSError:
    pass
with contextlib.suppress(ImportError):
    import twelfth
if TYPE_CHECKING:
    import thirteenth
if typing.TYPE_CHECKING:
    import fourteenth
else:
    import fifteenth
if __name__ == "__main__":
    import sixteenth
)");
  CHECK(missing_in(facts) ==
        std::vector<std::string>{"train.py:1 first", "train.py:2 second", "train.py:3 third",
                                 "train.py:5 fifth?", "train.py:7 sixth", "train.py:9 seventh?",
                                 "train.py:11 eighth!", "train.py:13 ninth!", "train.py:15 tenth",
                                 "train.py:17 eleventh", "train.py:21 twelfth!",
                                 "train.py:27 fifteenth", "train.py:29 sixteenth"});
}

TEST_CASE("what stands below a condition of any kind may never run") {
  const TemporaryDirectory here;
  const PythonFacts facts = looked_at(here, R"(for one in ():
    import first
else:
    import second
while False:
    import third
match sys.platform:
    case "win32":
        import fourth
async def later():
    async for one in other:
        import fifth
)");
  CHECK(missing_in(facts) == std::vector<std::string>{"train.py:2 first?", "train.py:4 second?",
                                                      "train.py:6 third?", "train.py:9 fourth?",
                                                      "train.py:12 fifth?"});
}

TEST_CASE("a handler that ends the program does not go on without the module") {
  const TemporaryDirectory here;
  for (const char* end :
       {"raise", "raise SystemExit('install it')", "print(1); sys.exit('install it')", "exit(1)"}) {
    CAPTURE(end);
    const std::string text = "try:\n  import first\nexcept ImportError:\n  ";
    CHECK(missing_in(looked_at(here, text + end + "\n")) ==
          std::vector<std::string>{"train.py:2 first"});
  }
}

TEST_CASE("the imports of a file with long sums and many branches are found") {
  const TemporaryDirectory here;
  std::string text = "x = 'a'";
  for (int i = 0; i < 600; ++i) text += " + 'a'";
  text += "\nif x == 'a':\n  pass\n";
  for (int i = 0; i < 400; ++i) text += "elif x == 'b':\n  pass\n";
  CHECK(missing_in(looked_at(here, text + "import first\n")) ==
        std::vector<std::string>{"train.py:804 first"});
}

TEST_CASE("a file that is nested deeper than Python can read is told of, and the others are read") {
  const TemporaryDirectory here;
  std::string text = "x = 1";
  for (int i = 0; i < 100'000; ++i) text += " + 1";
  here.write("deep.py", text + "\n");
  const PythonFacts facts = looked_at(here, "import deep\nimport first\n");
  CHECK(missing_in(facts) == std::vector<std::string>{"train.py:2 first"});
  REQUIRE(facts.mistakes.size() == 1);
  CHECK(facts.mistakes[0].file == here / "deep.py");
}

TEST_CASE("a directory stands for the __main__.py in it") {
  const TemporaryDirectory here;
  here.write("app/__main__.py", "import beside\nif __name__ == '__main__':\n  import first\n");
  here.write("app/beside.py", "import second\n");
  CHECK(missing_in(facts_of(here, {"app/"})) ==
        std::vector<std::string>{"__main__.py:3 first", "beside.py:1 second"});
  here.write("empty/train.py", "");
  check_told(judge_python(facts_of(here, {"empty"})), {"error: empty/__main__.py: "});
}

TEST_CASE("an archive of Python is not looked into") {
  const TemporaryDirectory here;
  // A ZIP without files, behind a first line as pex and shiv write it.
  const std::string archive = "#!/usr/bin/env python3\nPK\005\006" + std::string(18, '\0');
  here.write("app.pyz", archive);
  const AreaReport report = judge_python(facts_of(here, {"app.pyz"}));
  check_told(report, {});
  CHECK(report.text.ends_with(", app.pyz: an archive, which is not looked into"));
}

TEST_CASE("modules beside the script are followed, and none of them is executed") {
  const TemporaryDirectory here;
  for (const char* name : {"helper.py", "json.py", "sitecustomize.py", "pkg/__init__.py"})
    here.write(name, "open('" + here / "executed" + "', 'w'); import of_" +
                         std::string(name).substr(0, 3) + "\n");
  here.write("pkg/deep/one.py", "from .. import two\nfrom . import three\n");
  here.write("pkg/two.py", "import of_two\nif __name__ == '__main__':\n  import not_reached\n");
  here.write("pkg/deep/three.py", "import of_three\n");
  here.write("lazy.py", "import of_lazy\n");
  here.write("unused.py", "import of_unused\n");
  const PythonFacts facts = looked_at(here,
                                      "import helper, json\nimport pkg.deep.one\n"
                                      "def f():\n  import lazy\n");
  CHECK(missing_in(facts) == std::vector<std::string>{"helper.py:1 of_hel", "json.py:1 of_jso",
                                                      "__init__.py:1 of_pkg", "lazy.py:1 of_lazy?",
                                                      "two.py:1 of_two", "three.py:1 of_three"});
  CHECK(facts.files == 8);
  CHECK_FALSE(sys::exists(here / "executed"));
}

TEST_CASE("a file that Python cannot read is told of with its line") {
  const TemporaryDirectory here;
  here.write("broken.py", "x = 1\ny = (\n");
  const PythonFacts facts = looked_at(here, "import broken\n");
  REQUIRE(facts.mistakes.size() == 1);
  CHECK(facts.mistakes[0].line == 2);
  check_told(judge_python(facts), {"error: " + here / "broken.py:2: "});
}

TEST_CASE("torch's CUDA and the packages' versions are read without importing them") {
  const TemporaryDirectory here;
  here.write("torch/__init__.py", "raise SystemExit\n");
  here.write("torch/version.py", "__version__ = '2.4.1+cu124'\ncuda: Optional[str] = '12.4'\n");
  here.write("torch-2.4.1+cu124.dist-info/METADATA", "Name: torch\nVersion: 2.4.1+cu124\n");
  here.write("nvidia_nccl_cu12-2.20.5.dist-info/METADATA",
             "Name: nvidia-nccl-cu12\nVersion: 2.20.5\n");
  here.write("nvidia/nccl/lib/libnccl.so.2", "");
  const PythonFacts facts = looked_at(here, "import torch\n");
  CHECK(facts.uses_torch);
  CHECK(facts.torch_cuda == "12.4");
  CHECK(facts.packages.at("torch") == "2.4.1+cu124");
  CHECK(facts.packages.at("nvidia-nccl-cu12") == "2.20.5");
  CHECK(facts.nccl_library == here / "nvidia/nccl/lib/libnccl.so.2");
  here.write("torch/version.py", "cuda = None\n");
  CHECK(looked_at(here, "import torch\n").torch_cuda == "");
  CHECK_FALSE(looked_at(here, "import json\n").uses_torch);
}

TEST_CASE("a module that the command names is looked for where Python would") {
  const TemporaryDirectory here;
  here.write("pkg/__init__.py", "import of_package\n");
  here.write("pkg/train.py", "import of_train\n");
  here.write("pkg/deep/__main__.py", "import of_deep\n");
  CHECK(missing_in(facts_of(here, {"-m", "pkg.train"})) ==
        std::vector<std::string>{"__init__.py:1 of_package", "train.py:1 of_train"});
  CHECK(missing_in(facts_of(here, {"-m", "pkg.deep"})) ==
        std::vector<std::string>{"__init__.py:1 of_package", "__main__.py:1 of_deep"});
  check_told(judge_python(facts_of(here, {"-m", "nowhere.train"})),
             {"error: the command runs the module nowhere"});
  check_told(judge_python(facts_of(here, {"-m", "json.tool"})), {});
}

TEST_CASE("a package beside the command without the module that it names is told of") {
  const TemporaryDirectory here;
  here.write("pkg/__init__.py", "");
  here.write("pkg/train.py", "");
  const AreaReport report = judge_python(facts_of(here, {"-m", "pkg.trian"}));
  check_told(report, {"error: the command runs the module pkg.trian, and the package pkg beside "
                      "it has no such module"});
  check_told(judge_python(facts_of(here, {"-m", "pkg"})),
             {"error: the command runs the module pkg.__main__, and the package pkg beside it "
              "has no such module"});
}

TEST_CASE("a script that its first line gives to Python is looked into") {
  const TemporaryDirectory here;
  const std::string script = here.write("run", "#!/usr/bin/env -S python3 -u\nimport of_run\n");
  Subject subject;
  subject.environment.set("PATH", "/usr/bin:/bin", "test");
  subject.command = Command();
  subject.command->argv = {script};
  CHECK(missing_in(python_facts(subject, true)) == std::vector<std::string>{"run:2 of_run"});
}

TEST_CASE("without looking, only whether Python is used is known") {
  Subject subject;
  subject.command = Command();
  subject.command->argv = {"python3", "/nowhere/train.py"};
  const PythonFacts facts = python_facts(subject, false);
  CHECK(facts.used);
  CHECK(facts.version.empty());
}
