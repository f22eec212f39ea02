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

/// As Python's quote() writes it with these characters left as they are, besides the usual ones.
std::string percent_encode(std::string_view text, std::string_view safe) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kUnreserved =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~";
  std::string result;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (kUnreserved.find(character) == std::string_view::npos &&
        safe.find(character) == std::string_view::npos) {
      result += {'%', kDigits[byte >> 4], kDigits[byte & 0xF]};
    } else {
      result += character;
    }
  }
  return result;
}

/// In a URL's path, and in its query: there a form has '+' for a blank.
std::set<std::string> url_forms(std::string_view value) {
  const std::string in_query = percent_encode(value, "");
  return {percent_encode(value, "/"), in_query, replace_all(in_query, "%20", "+")};
}

/// The value as itself, in Python's quotes, in a shell's, and in JSON whose writer escapes slashes.
std::set<std::string> plain_forms(std::string_view value) {
  std::set<std::string> forms = {std::string(value), without_quotes(python::repr(Json(value))),
                                 replace_all(value, "'", "'\\''")};
  if (value.find('/') != std::string_view::npos)
    forms.insert(replace_all(without_quotes(dump_json(Json(value))), "/", "\\/"));
  return forms;
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
  forms.merge(url_forms(value));
  return forms;
}

}  // namespace

void SecretCollector::add_arguments(const std::vector<std::string>& arguments) {
  std::string_view before;
  for (const std::string& argument : arguments) {
    add_text(Place().behind(before), argument);
    before = argument;
  }
}

void SecretCollector::add_text(const Place& place, std::string_view text) {
  add_value(place, text);
  const Option option = option_of(text);
  if (option.value_at > 0) add_value({.name = option.name, .depth = place.depth}, option.value);
  for (const auto& [name, value] : assignments_in(text))
    add_value({.name = name, .depth = place.depth}, value);
}

void SecretCollector::add_value(const Place& place, std::string_view value) {
  if (place.is_secret(value)) add(value);
  if (const auto structure = place.structure(value)) add_json(place.content(), structure->value);
}

void SecretCollector::add_json(const Place& place, const Json& value) {
  if (const auto* members = value.object()) return add_members(place, *members);
  if (const auto* items = value.array()) return add_items(place.below(), *items);
  add_text(place, python::str(value));
}

void SecretCollector::add_items(const Place& below, const Json::Array& items) {
  std::string_view before;
  for (const Json& item : items) {
    add_json(below.behind(before), item);
    before = text_of(item);
  }
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
