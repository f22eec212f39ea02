#include "trainit/json.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/python_text.h"
#include "base/text.h"
#include "base/utf8.h"

namespace trainit {
namespace {

struct Separators {
  std::string_view item;
  std::string_view name;
};

Separators separators_of(JsonStyle style) {
  return style == JsonStyle::kCompactSorted ? Separators{",", ":"} : Separators{", ", ": "};
}

void append_escaped(std::string& out, std::uint32_t unit) {
  fmt::format_to(std::back_inserter(out), "\\u{:04x}", unit);
}

void append_beyond_ascii(std::string& out, const utf8::Decoded& character) {
  if (!character.valid) {
    append_escaped(out, 0xDC00 + character.code_point);  // Python's surrogateescape
  } else if (character.code_point < 0x10000) {
    append_escaped(out, character.code_point);
  } else {
    append_escaped(out, 0xD800 + ((character.code_point - 0x10000) >> 10));
    append_escaped(out, 0xDC00 + (character.code_point & 0x3FF));
  }
}

void append_escape_of_ascii(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\b':
      out += "\\b";
      break;
    case '\f':
      out += "\\f";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      append_escaped(out, static_cast<unsigned char>(c));
  }
}

/// Which bytes stand in a JSON string as they are.
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = ' '; c <= '~'; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

/// How much of the beginning of a text stands in a JSON string as it is.
std::size_t plain_prefix(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && kPlain[static_cast<unsigned char>(text[size])]) ++size;
  return size;
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  while (true) {
    const std::size_t plain = plain_prefix(text);
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const utf8::Decoded next = utf8::decode(text);
    if (next.valid && next.code_point < 0x80) {
      append_escape_of_ascii(out, text.front());
    } else {
      append_beyond_ascii(out, next);
    }
    text.remove_prefix(next.length);
  }
  out += '"';
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value < 0 ? "-Infinity" : "Infinity";
  } else {
    out += python::repr(value);
  }
}

void append_value(std::string& out, const Json& value, JsonStyle style);

void append_array(std::string& out, const Json::Array& items, JsonStyle style) {
  out += '[';
  for (const Json& item : items) {
    if (&item != items.data()) out += separators_of(style).item;
    append_value(out, item, style);
  }
  out += ']';
}

void append_member(std::string& out, const Json::Member& member, JsonStyle style) {
  if (out.back() != '{') out += separators_of(style).item;
  append_string(out, member.name);
  out += separators_of(style).name;
  append_value(out, member.value, style);
}

void append_object(std::string& out, const Json::Object& members, JsonStyle style) {
  out += '{';
  if (style == JsonStyle::kCompactSorted) {
    for (const Json::Member* member : members_by_name(members)) append_member(out, *member, style);
  } else {
    for (const Json::Member& member : members) append_member(out, member, style);
  }
  out += '}';
}

void append_value(std::string& out, const Json& value, JsonStyle style) {
  if (value.is_null()) {
    out += "null";
  } else if (const bool* truth = value.boolean()) {
    out += *truth ? "true" : "false";
  } else if (const Json::Integer* integer = value.integer()) {
    out += integer->digits;
  } else if (const double* number = value.number()) {
    append_number(out, *number);
  } else if (const std::string* text = value.string()) {
    append_string(out, *text);
  } else if (const Json::Array* items = value.array()) {
    append_array(out, *items, style);
  } else {
    append_object(out, *value.object(), style);
  }
}

}  // namespace

Json::Json() noexcept = default;
Json::Json(std::nullptr_t) noexcept {}
Json::Json(bool value) : value_(value) {}
Json::Json(int value) : Json(std::int64_t{value}) {}
Json::Json(std::int64_t value) : value_(Integer{std::to_string(value)}) {}
Json::Json(std::size_t value) : value_(Integer{std::to_string(value)}) {}
Json::Json(double value) : value_(value) {}
Json::Json(const char* value) : value_(std::string(value)) {}
Json::Json(std::string_view value) : value_(std::string(value)) {}
Json::Json(std::string value) : value_(std::move(value)) {}
Json::Json(Integer value) : value_(std::move(value)) {}
Json::Json(Array value) : value_(std::move(value)) {}
Json::Json(Object value) : value_(std::move(value)) {}

Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;

bool Json::operator==(const Json& other) const { return value_ == other.value_; }

std::optional<std::int64_t> Json::to_int64() const {
  return integer() == nullptr ? std::nullopt : parse_number<std::int64_t>(integer()->digits);
}

std::optional<double> Json::to_double() const {
  if (number() != nullptr) return *number();
  return integer() == nullptr ? std::nullopt : parse_float(integer()->digits);
}

bool Json::truthy() const {
  if (const bool* truth = boolean()) return *truth;
  if (const Integer* whole = integer()) return whole->digits != "0";
  if (const double* real = number()) return *real != 0;  // NaN is true
  if (const std::string* text = string()) return !text->empty();
  if (const Array* items = array()) return !items->empty();
  if (const Object* members = object()) return !members->empty();
  return false;
}

std::string_view Json::kind_name() const {
  constexpr std::string_view kNames[] = {"null",     "a boolean", "an integer", "a number",
                                         "a string", "a list",    "an object"};
  return kNames[value_.index()];
}

const Json* Json::find(std::string_view name) const {
  if (object() == nullptr) return nullptr;
  for (const Member& member : *object()) {
    if (member.name == name) return &member.value;
  }
  return nullptr;
}

std::vector<const Json::Member*> members_by_name(const Json::Object& members) {
  std::vector<const Json::Member*> result;
  result.reserve(members.size());
  for (const Json::Member& member : members) result.push_back(&member);
  std::sort(result.begin(), result.end(), [](const Json::Member* a, const Json::Member* b) {
    const int order = a->name.compare(b->name);  // of bytes, which in UTF-8 is that of code points
    return order != 0 ? order < 0 : a < b;
  });
  return result;
}

std::string dump_json(const Json& value, JsonStyle style) {
  std::string out;
  append_value(out, value, style);
  return out;
}

}  // namespace trainit
