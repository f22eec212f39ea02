#include "check/python.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace trainit::check {
namespace {

/// What the package is called that brings a module of another name.
struct Package {
  std::string_view module, name;
};
constexpr Package kPackages[] = {
    {"PIL", "pillow"},
    {"attr", "attrs"},
    {"bs4", "beautifulsoup4"},
    {"cv2", "opencv-python"},
    {"dateutil", "python-dateutil"},
    {"dotenv", "python-dotenv"},
    {"google", "protobuf"},
    {"skimage", "scikit-image"},
    {"sklearn", "scikit-learn"},
    {"yaml", "pyyaml"},
};

std::string package_of(const std::string& module) {
  const auto found = std::find_if(std::begin(kPackages), std::end(kPackages),
                                  [&](const Package& one) { return one.module == module; });
  return found == std::end(kPackages) ? module : std::string(found->name);
}

bool is_python(std::string_view program) {
  const std::string_view name = program.substr(program.rfind('/') + 1);
  for (const std::string_view stem : {"python", "pypy"}) {
    if (name.starts_with(stem) &&
        name.substr(stem.size()).find_first_not_of("0123456789.") == std::string_view::npos)
      return true;
  }
  return false;
}

Severity severity_of(Runs runs) {
  if (runs == Runs::kAlways) return Severity::kError;
  return runs == Runs::kMaybe ? Severity::kWarning : Severity::kNote;
}

std::string place_of(const std::string& file, int line) {
  return line > 0 ? fmt::format("{}:{}", file, line) : file;
}

std::string_view first_part(std::string_view module) { return module.substr(0, module.find('.')); }

/// It is no module to be installed, but one of a package that is there.
bool in_package(const MissingModule& missing) {
  return first_part(missing.module) != missing.module;
}

std::string what_of(const MissingModule& missing, std::size_t more) {
  if (in_package(missing)) {
    return fmt::format(
        "the command runs the module {}, and the package {} beside it has no such module",
        missing.module, first_part(missing.module));
  }
  if (missing.file.empty())
    return fmt::format("the command runs the module {}, which is not installed", missing.module);
  const std::string places =
      more == 0 ? "" : fmt::format(" (and {} more place{})", more, more == 1 ? "" : "s");
  return fmt::format("{} imports {}, which is not installed{}",
                     place_of(missing.file, missing.line), missing.module, places);
}

std::string remedy_of(const MissingModule& missing) {
  if (in_package(missing))
    return "name a module that is there, or see whether the image has all files of the program";
  return fmt::format(
      "install it when the image is built (pip install {}), or put it beside the program",
      package_of(missing.module));
}

std::string_view why_of(Runs runs, bool changes_path) {
  if (runs == Runs::kGuarded) return "the program catches that and goes on without the module";
  if (changes_path) {
    return "unless the program finds it by what it does to sys.path, it ends there with a "
           "ModuleNotFoundError";
  }
  return runs == Runs::kAlways
             ? "the program ends there with a ModuleNotFoundError, on every rank"
             : "the import stands in a function or below a condition, and fails when it is reached";
}

/// One finding a module: of its places the one that is surest to run.
void judge_missing(const PythonFacts& facts, AreaReport& report) {
  std::map<std::string, std::vector<const MissingModule*>> by_module;
  for (const MissingModule& one : facts.missing) by_module[one.module].push_back(&one);
  for (const auto& [module, places] : by_module) {
    const MissingModule& first =
        **std::min_element(places.begin(), places.end(),
                           [](const auto* a, const auto* b) { return a->runs < b->runs; });
    const Severity most = facts.changes_path ? Severity::kWarning : Severity::kError;
    report.add(std::min(severity_of(first.runs), most), what_of(first, places.size() - 1),
               std::string(why_of(first.runs, facts.changes_path)), remedy_of(first));
  }
}

void judge_mistakes(const std::vector<SyntaxMistake>& all, AreaReport& report) {
  for (const SyntaxMistake& one : all) {
    report.add(one.runs == Runs::kAlways ? Severity::kError : Severity::kWarning,
               fmt::format("{}: {}", place_of(one.file, one.line), one.message),
               "Python cannot read this file, so the program ends when it comes to it",
               "correct the file, or run it with the Python that it was written for");
  }
}

std::string text_of(const PythonFacts& facts) {
  std::string text = fmt::format("Python {}, {}", facts.version, facts.program);
  if (facts.archive) return text + ": an archive, which is not looked into";
  if (facts.files > 1)
    text += fmt::format(" and {} more file{}", facts.files - 1, facts.files == 2 ? "" : "s");
  text += fmt::format(" import{} {} other module{}", facts.files > 1 ? "" : "s", facts.modules,
                      facts.modules == 1 ? "" : "s");
  text += facts.missing.empty() ? ", all there" : "";
  if (!facts.uses_torch) return text;
  for (const char* package : {"torch", "numpy"}) {
    const auto found = facts.packages.find(package);
    if (found != facts.packages.end()) text += fmt::format(" · {} {}", package, found->second);
  }
  if (facts.torch_cuda && !facts.torch_cuda->empty())
    text += fmt::format(" (torch for CUDA {})", *facts.torch_cuda);
  return text;
}

}  // namespace

std::optional<PythonCall> python_call(const std::vector<std::string>& argv) {
  if (argv.empty() || !is_python(argv[0])) return std::nullopt;
  using Kind = PythonCall::Kind;
  for (std::size_t index = 1; index < argv.size(); ++index) {
    const std::string& word = argv[index];
    const bool last = index + 1 == argv.size();
    if (word == "--") {
      if (last) return std::nullopt;
      return PythonCall{Kind::kScript, argv[0], argv[index + 1]};
    }
    if (word == "-" || word == "-V" || word == "--version") return std::nullopt;
    if (!word.starts_with('-')) return PythonCall{Kind::kScript, argv[0], word};
    if (word.starts_with("--")) continue;
    // Letters may stand together ("-um train"), and those with a value end the word.
    const std::size_t with_value = word.find_first_of("cmWX");
    if (with_value == std::string::npos) continue;
    const bool joined = with_value + 1 < word.size();
    if (!joined && last) return std::nullopt;
    const std::string value = joined ? word.substr(with_value + 1) : argv[index + 1];
    if (word[with_value] == 'm') return PythonCall{Kind::kModule, argv[0], value};
    if (word[with_value] == 'c') return PythonCall{Kind::kCode, argv[0], value};
    if (!joined) ++index;
  }
  return std::nullopt;
}

AreaReport judge_python(const PythonFacts& facts) {
  if (!facts.used) return AreaReport::skip("python", "there is no command that runs Python");
  AreaReport report{.area = "python", .text = {}, .findings = {}};
  if (!facts.trouble.empty()) {
    report.text = "what it imports is not known";
    report.add(
        Severity::kWarning,
        fmt::format("the imports of {} could not be looked at: {}", facts.program, facts.trouble),
        "a module that is missing shows only when the job runs",
        "see whether this Python runs at all in the image, and its version is 3.6 or later");
    return report;
  }
  report.text = text_of(facts);
  judge_mistakes(facts.mistakes, report);
  judge_missing(facts, report);
  return report;
}

}  // namespace trainit::check
