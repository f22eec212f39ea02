#include "environment/render.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "environment/process_text.h"
#include "trainit/json.h"

namespace trainit::environment {
namespace {

using Variable = Environment::Variable;

/// A JSON string is on one line whatever the text is, so it can stand in a comment, too.
std::string json_string(std::string_view text) { return dump_json(Json(text)); }

std::string json_variable(const Variable& variable, bool explain) {
  if (!explain) return json_string(variable.value);
  return fmt::format("{{\"value\": {}, \"origin\": {}}}", json_string(variable.value),
                     json_string(variable.origin));
}

/// Members or items a line each, between two brackets.
std::string json_lines(const std::vector<std::string>& lines, char open, char close) {
  if (lines.empty()) return {open, close};
  std::string result(1, open);
  for (const std::string& line : lines) {
    result += result.size() > 1 ? ",\n    " : "\n    ";
    result += line;
  }
  return result + "\n  " + close;
}

std::string render_json(const Environment& environment, const std::vector<std::string>& arguments,
                        bool explain) {
  std::vector<std::string> members, items;
  for (const auto& [name, variable] : environment.variables()) {
    members.push_back(json_string(name) + ": " + json_variable(variable, explain));
  }
  for (const std::string& argument : arguments) items.push_back(json_string(argument));
  return fmt::format("{{\n  \"environment\": {},\n  \"arguments\": {}\n}}\n",
                     json_lines(members, '{', '}'), json_lines(items, '[', ']'));
}

/// `text` in single quotes, each `special` character of it replaced.
std::string single_quoted(std::string_view text, std::string_view special,
                          std::string_view (*replacement)(char)) {
  std::string result = "'";
  for (const char character : text) {
    if (special.find(character) == std::string_view::npos) {
      result += character;
    } else {
      result += replacement(character);
    }
  }
  return result + "'";
}

/// bash has these itself, and a script that is to end with its first error ends at such a line.
bool is_read_only_in_bash(std::string_view name) {
  constexpr std::array<std::string_view, 6> kReadOnly = {"BASHOPTS", "BASH_VERSINFO", "EUID",
                                                         "PPID",     "SHELLOPTS",     "UID"};
  return std::find(kReadOnly.begin(), kReadOnly.end(), name) != kReadOnly.end();
}

std::string shell_line(const std::string& name, const std::string& value) {
  if (!is_shell_name(name)) {
    return fmt::format("# left out: no shell can have a variable named {}\n", json_string(name));
  }
  if (is_read_only_in_bash(name)) return fmt::format("# left out: bash sets {} itself\n", name);
  const auto quote = [](char) -> std::string_view { return "'\\''"; };
  return fmt::format("export {}={}\n", name, single_quoted(value, "'", quote));
}

/// Python's str.isspace, which is what readers written in Python trim.
bool is_space(std::uint32_t code_point) {
  constexpr std::array<std::uint32_t, 10> kSingle = {0x20,   0x85,   0xA0,   0x1680, 0x2028,
                                                     0x2029, 0x202F, 0x205F, 0x3000, 0x1F};
  for (const std::uint32_t space : kSingle) {
    if (code_point == space) return true;
  }
  return (code_point >= 0x09 && code_point <= 0x0D) || (code_point >= 0x1C && code_point <= 0x1E) ||
         (code_point >= 0x2000 && code_point <= 0x200A);
}

/// What the readers of such files make of a value that stands there bare.
struct BareValue {
  bool possible = true;   ///< UTF-8 without carriage returns, which readers turn into line feeds
  bool unchanged = true;  ///< every reader takes it as it is
};

BareValue look_at_bare(std::string_view value) {
  BareValue seen;
  bool after_space = true;
  seen.unchanged = !value.starts_with('\'') && !value.starts_with('"') &&
                   value.find('\n') == std::string_view::npos;
  for (std::size_t at = 0; at < value.size();) {
    const auto character = utf8::decode(value.substr(at));
    const bool space = is_space(character.code_point);
    const bool comment = character.code_point == '#' && after_space && at > 0;
    const bool at_end = at == 0 || at + character.length == value.size();
    if (comment || (space && at_end)) seen.unchanged = false;
    if (!character.valid || utf8::is_surrogate(character.code_point) || value[at] == '\r')
      seen.possible = false;
    after_space = space;
    at += character.length;
  }
  return seen;
}

bool is_dotenv_name(std::string_view name) {
  // docker refuses a whole file for one name with white space, python-dotenv ends a name at '#'.
  for (const char character : name) {
    const bool plain = character > ' ' && character < 0x7F;
    if (!plain || character == '#' || character == '\'' || character == '"') return false;
  }
  return !name.empty();
}

std::string dotenv_line(const std::string& name, const std::string& value) {
  const BareValue bare = look_at_bare(value);
  if (!is_dotenv_name(name) || !bare.possible) {
    return fmt::format("# left out: {} cannot stand in such a file\n", json_string(name));
  }
  if (bare.unchanged) return fmt::format("{}={}\n", name, value);
  if (value.ends_with('\\')) {
    // Before the closing quote a backslash would be read as an escaped quote.
    return fmt::format("# left out: {} ends with a backslash and would need quotes\n",
                       json_string(name));
  }
  const auto escape = [](char character) -> std::string_view {
    return character == '\'' ? "\\'" : "\\\\";
  };
  return fmt::format("{}={}\n", name, single_quoted(value, "'\\", escape));
}

std::string render_lines(const Environment& environment, RenderFormat format, bool explain) {
  std::string result;
  for (const auto& [name, variable] : environment.variables()) {
    if (explain)
      result += fmt::format("# {}: {}\n", json_string(name), json_string(variable.origin));
    result += format == RenderFormat::kShell ? shell_line(name, variable.value)
                                             : dotenv_line(name, variable.value);
  }
  return result;
}

}  // namespace

std::string render_environment(const Environment& environment,
                               const std::vector<std::string>& arguments, RenderFormat format,
                               bool explain) {
  if (format == RenderFormat::kJson) return render_json(environment, arguments, explain);
  return render_lines(environment, format, explain);
}

}  // namespace trainit::environment
