#include "environment/secret_collector.h"

#include "base/python_text.h"
#include "base/text.h"
#include "base/utf8.h"
#include "environment/named_values.h"

namespace trainit::environment {
namespace {

/// Shorter values stand in too many innocent texts.
constexpr std::size_t kShortestInText = 4;
/// Of several lines one that is shorter may be a word of any text.
constexpr std::size_t kShortestLine = 8;

std::string without_quotes(const std::string& quoted) {
  return quoted.substr(1, quoted.size() - 2);
}

bool is_ascii(std::string_view text) { return utf8::ascii_prefix(text) == text.size(); }

/// As inside a JSON string whose writer leaves characters beyond ASCII as they are.
std::string json_escape_ascii_only(const std::string& text) {
  std::string result;
  for (const char character : text) {
    const bool ascii = static_cast<unsigned char>(character) < 0x80;
    result +=
        ascii ? without_quotes(dump_json(std::string(1, character))) : std::string(1, character);
  }
  return result;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  for (std::size_t at = text.find(from); at != std::string_view::npos; at = text.find(from)) {
    result += text.substr(0, at);
    result += to;
    text.remove_prefix(at + from.size());
  }
  return result += text;
}

/// The value as itself, in Python's quotes, and in a shell's.
std::set<std::string> plain_forms(std::string_view value) {
  return {std::string(value), without_quotes(python::repr(Json(value))),
          replace_all(value, "'", "'\\''")};
}

std::set<std::string> all_forms(std::string_view value) {
  // SM_TRAINING_ENV is an object that holds others, and a log line in JSON holds it once more.
  constexpr int kNested = 3;
  std::set<std::string> forms = plain_forms(value);
  for (int depth = 0; depth < kNested; ++depth) {
    const std::set<std::string> outer = forms;
    for (const std::string& form : outer) {
      forms.insert(without_quotes(dump_json(form)));
      if (!is_ascii(form)) forms.insert(json_escape_ascii_only(form));
    }
  }
  return forms;
}

}  // namespace

void SecretCollector::add_arguments(const std::vector<std::string>& arguments) {
  std::string_view expecting;  // the option that the next argument is the value of
  for (const std::string& argument : arguments) {
    add_text({expecting}, argument);
    const Option option = option_of(argument);
    if (option.value_at > 0) add_text({option.name}, option.value);
    for (const auto& [name, value] : assignments_in(argument)) add_text({name}, value);
    expecting = option.value_at > 0 ? "" : option.name;
  }
}

void SecretCollector::add_text(const Place& place, std::string_view text) {
  if (place.is_secret(text)) add(text);
  if (const auto structure = place.structure(text)) add_json(place.content(), structure->value);
}

void SecretCollector::add_json(const Place& place, const Json& value) {
  if (const auto* members = value.object()) return add_members(place, *members);
  if (const auto* items = value.array()) {
    const Place below = place.below();
    for (const Json& item : *items) add_json(below, item);
    return;
  }
  add_text(place, python::str(value));
}

void SecretCollector::add_members(const Place& place, const Json::Object& members) {
  const Place below = place.below();
  for (const auto& [name, value] : members) add_json(below.named(name), value);
}

/// A program that read the value may have trimmed it, and may quote one of its lines. Their ends
/// are written as \n where a variable cannot hold them.
void SecretCollector::add(std::string_view value) {
  add_part(value, kShortestInText);
  add_part(trim(value), kShortestInText);
  const std::string lines = replace_all(value, "\\n", "\n");
  if (lines.find('\n') == std::string::npos) return;
  for (const std::string_view line : split(lines, '\n')) add_part(trim(line), kShortestLine);
}

void SecretCollector::add_part(std::string_view text, std::size_t shortest) {
  if (text.size() < shortest || !parts_.emplace(text).second) return;
  forms_.merge(all_forms(text));
}

}  // namespace trainit::environment
