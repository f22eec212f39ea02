#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "check/finding.h"
#include "check/subject.h"
#include "trainit/result.h"

/// Area "python": a Python program's imports, and the versions of the packages that matter.
namespace trainit::check {

/// What a command makes Python run.
struct PythonCall {
  enum class Kind { kScript, kModule, kCode } kind = Kind::kScript;
  std::string interpreter;  ///< as the command has it, or as the first line of its program
  std::string name;         ///< path of the script, name of the module, or the code itself
};
/// By the words of a command: "python3 -u train.py --epochs 3". Nothing: it runs no Python.
std::optional<PythonCall> python_call(const std::vector<std::string>& argv);

/// How sure it is that a statement runs.
enum class Runs {
  kAlways,   ///< when the program starts
  kMaybe,    ///< in a function, or below a condition
  kGuarded,  ///< where a missing module is caught, and the program goes on
};
struct MissingModule {
  std::string module;  ///< its first part; whole where it is missing in a package that is there
  std::string file;
  int line = 0;  ///< 0: the command itself names it
  Runs runs = Runs::kAlways;
};
struct SyntaxMistake {
  std::string file, message;
  int line = 0;
  Runs runs = Runs::kAlways;
};

struct PythonFacts {
  bool used = false;          ///< the command runs Python
  std::string trouble;        ///< why the imports could not be looked at; empty: they were
  std::string version;        ///< "3.11.2"
  std::string program;        ///< "train.py"
  bool archive = false;       ///< the program is a ZIP, which is not looked into
  int files = 0;              ///< that were read: the program and modules beside it
  int modules = 0;            ///< that these import from elsewhere
  bool changes_path = false;  ///< a file does something with sys.path
  std::vector<MissingModule> missing;
  std::vector<SyntaxMistake> mistakes;
  std::map<std::string, std::string>
      packages;                           ///< name → version: torch, numpy, nvidia-nccl-cu12 …
  bool uses_torch = false;                ///< one of the files imports torch, or what is made of it
  std::optional<std::string> torch_cuda;  ///< "12.4"; empty: torch is built without CUDA
  std::string nccl_library;               ///< path of the one that a package brought
};

/// Runs the command's Python with a small program that reads the files and asks which modules are
/// there. Nothing of the user's is executed. `used` alone is told where `look` is false.
PythonFacts python_facts(const Subject& subject, bool look);

/// What that program answers.
Result<PythonFacts> parse_probe_answer(std::string_view json);

AreaReport judge_python(const PythonFacts& facts);

/// The program: arguments are the kind ("script", "module", "code") and the name. Its stdout is one
/// object of JSON.
extern const char kImportProbe[];

}  // namespace trainit::check
