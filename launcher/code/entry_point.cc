#include "code/entry_point.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/text.h"
#include "sys/files.h"
#include "sys/first_line.h"
#include "sys/process.h"

namespace trainit::code {
namespace {

/// "src/pkg" of "./src/pkg/".
std::string_view plain_path(std::string_view program) {
  if (program.starts_with("./")) program.remove_prefix(2);
  while (program.ends_with('/')) program.remove_suffix(1);
  return program;
}

bool has_empty_part(std::string_view text, char separator) {
  const auto parts = split(text, separator);
  return std::any_of(parts.begin(), parts.end(), [](auto part) { return part.empty(); });
}

/// Whether `python -m` finds a module of this name in the code directory. What stands between two
/// dots may be any name of a file, but something has to.
bool is_importable(const std::string& directory, const std::string& module) {
  if (has_empty_part(module, '.')) return false;
  std::string path = module;
  std::replace(path.begin(), path.end(), '.', '/');
  path = sys::join_path(directory, path);
  return sys::is_regular_file(path + ".py") || sys::is_directory(path);
}

/// Whether `python -m` would find a directory at this path, and none of another name.
bool is_package_path(std::string_view path) {
  return path.find('.') == std::string_view::npos && !has_empty_part(path, '/');
}

std::string first_names(const std::string& directory) {
  const auto names = sys::list_directory(directory);
  if (!names) return names.error().message;
  if (names->empty()) return "it is empty";
  constexpr std::size_t kShown = 8;
  const bool all = names->size() <= kShown;
  const std::vector<std::string> shown(names->begin(),
                                       all ? names->end() : names->begin() + kShown);
  return "it has " + join(shown, ", ") + (all ? "" : ", …");
}

}  // namespace

EntryPoint entry_point_kind(const std::string& code_directory, const std::string& program) {
  const std::string path = sys::join_path(code_directory, program);
  const bool directory = sys::is_directory(path);
  if (program.ends_with(".sh") && !directory)
    return sys::read_first_line(path).script ? EntryPoint::kExecutable : EntryPoint::kShell;
  // The toolkit's rule, for names that can be a module's.
  if (sys::exists(sys::join_path(code_directory, "setup.py")) &&
      is_importable(code_directory, module_name(program)))
    return EntryPoint::kModule;
  if (directory && sys::exists(sys::join_path(path, "__main__.py")))
    return is_package_path(plain_path(program)) ? EntryPoint::kModule : EntryPoint::kPython;
  return program.ends_with(".py") ? EntryPoint::kPython : EntryPoint::kExecutable;
}

std::string module_name(std::string_view program) {
  std::string name(plain_path(program));
  if (name.ends_with(".py")) name.resize(name.size() - std::string_view(".py").size());
  std::replace(name.begin(), name.end(), '/', '.');
  return name;
}

Result<void> check_entry_point(const std::string& code_directory, const std::string& program,
                               const std::string& origin) {
  const std::string path = sys::join_path(code_directory, program);
  const auto absence = sys::absence_of(path);
  // Beside a setup.py it may be the name of a module: "pkg.main" for pkg/main.py or a package.
  if (!absence || entry_point_kind(code_directory, program) == EntryPoint::kModule) return {};
  const int exit_code = sys::SpawnError{sys::SpawnStage::kExec, absence->errno_value}.exit_code();
  if (absence->text != "does not exist")
    return fail(fmt::format("{} ({}) in {} {}", program, origin, code_directory, absence->text),
                exit_code);
  const std::string advice = sys::is_regular_file(path + ".py")
                                 ? fmt::format("did you mean {}.py?", program)
                                 : first_names(code_directory);
  return fail(
      fmt::format("{} ({}) does not exist in {}: {}", program, origin, code_directory, advice),
      exit_code);
}

Result<void> check_first_line(const std::string& path, EntryPoint kind) {
  const sys::FirstLine line = sys::read_first_line(path);
  const bool text = line.script || line.byte_order_mark || kind == EntryPoint::kShell;
  const std::string complaint = line.complaint();
  if (!text || complaint.empty()) return {};
  // As exec would have it, of the line's interpreter or of a file that is no program.
  const int error = line.byte_order_mark ? ENOEXEC : ENOENT;
  return fail(fmt::format("cannot run {}: {}", path, complaint),
              sys::SpawnError{sys::SpawnStage::kExec, error}.exit_code());
}

std::string warning_of_line_ends(const std::string& path, EntryPoint kind) {
  const bool shell = kind == EntryPoint::kShell ||
                     (kind == EntryPoint::kExecutable && sys::read_first_line(path).names_shell());
  const int line = shell ? sys::first_windows_line(path) : 0;
  if (line == 0) return {};
  return fmt::format(
      "line {} of {} has a Windows line end, whose CR a shell takes for a part of the last word; "
      "save the file with LF",
      line, path);
}

}  // namespace trainit::code
