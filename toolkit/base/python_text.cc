#include "base/python_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "base/text.h"
#include "base/unicode_tables.h"
#include "base/utf8.h"

namespace trainit::python {
namespace {

template <class Code>
bool is_behind_odd_number(std::span<const Code> boundaries, std::uint32_t code_point) {
  const auto behind = std::upper_bound(boundaries.begin(), boundaries.end(), code_point);
  return (behind - boundaries.begin()) % 2 == 1;
}

bool is_printable(std::uint32_t code_point) {
  return code_point < 0x10000 ? is_behind_odd_number(unicode::kPrintableBoundariesLow, code_point)
                              : is_behind_odd_number(unicode::kPrintableBoundariesHigh, code_point);
}

void append_escaped(std::string& out, std::uint32_t code_point) {
  if (code_point <= 0xFF) {
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", code_point);
  } else if (code_point <= 0xFFFF) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", code_point);
  } else {
    fmt::format_to(std::back_inserter(out), "\\U{:08x}", code_point);
  }
}

void append_character(std::string& out, std::string_view text, const utf8::Decoded& character) {
  switch (const std::uint32_t code_point = character.code_point; code_point) {
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
      if (!character.valid) {
        append_escaped(out, 0xDC00 + code_point);  // Python's surrogateescape
      } else if (is_printable(code_point)) {
        out += text.substr(0, character.length);
      } else {
        append_escaped(out, code_point);
      }
  }
}

void append_quoted(std::string& out, std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  out += quote;
  while (!text.empty()) {
    const utf8::Decoded next = utf8::decode(text);
    if (text.front() == quote || text.front() == '\\') out += '\\';
    append_character(out, text, next);
    text.remove_prefix(next.length);
  }
  out += quote;
}

void append_repr(std::string& out, const Json& value);

void append_list(std::string& out, const Json::Array& items) {
  out += '[';
  for (const Json& item : items) {
    if (&item != items.data()) out += ", ";
    append_repr(out, item);
  }
  out += ']';
}

void append_dict(std::string& out, const Json::Object& members) {
  out += '{';
  for (const Json::Member& member : members) {
    if (&member != members.data()) out += ", ";
    append_quoted(out, member.name);
    out += ": ";
    append_repr(out, member.value);
  }
  out += '}';
}

void append_repr(std::string& out, const Json& value) {
  if (value.is_null()) {
    out += "None";
  } else if (const bool* truth = value.boolean()) {
    out += *truth ? "True" : "False";
  } else if (const Json::Integer* integer = value.integer()) {
    out += integer->digits;
  } else if (const double* number = value.number()) {
    out += repr(*number);
  } else if (const std::string* text = value.string()) {
    append_quoted(out, *text);
  } else if (const Json::Array* items = value.array()) {
    append_list(out, *items);
  } else if (const Json::Object* members = value.object()) {
    append_dict(out, *members);
  }
}

/// The entry of this character in a table that is in order of its characters; null when it has
/// none.
const unicode::LongUpper* find_long_upper(std::uint32_t code_point) {
  const auto& table = unicode::kLongUppers;
  const auto found = std::lower_bound(
      table.begin(), table.end(), code_point,
      [](const unicode::LongUpper& entry, std::uint32_t code) { return entry.character < code; });
  return found != table.end() && found->character == code_point ? &*found : nullptr;
}

std::uint32_t simple_upper(std::uint32_t code_point) {
  const auto& table = unicode::kUpperRanges;
  const auto range = std::lower_bound(
      table.begin(), table.end(), code_point,
      [](const unicode::UpperRange& entry, std::uint32_t code) { return entry.last < code; });
  if (range == table.end() || code_point < range->first) return code_point;
  if ((code_point - range->first) % range->step != 0) return code_point;
  return code_point + static_cast<std::uint32_t>(range->distance);
}

void append_upper(std::string& out, std::uint32_t code_point) {
  const unicode::LongUpper* several = find_long_upper(code_point);
  if (several == nullptr) return utf8::append(out, simple_upper(code_point));
  for (const std::uint16_t character : several->upper) {
    if (character != 0) utf8::append(out, character);
  }
}

/// A number as C++ reads it, of one as Python does: without white space, underscores and a plus
/// sign. Nothing: one of them stands where Python wants none.
std::optional<std::string> plain_number(std::string_view text) {
  text = trim(text);
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_separator = text[i] == '_';
    if (!is_separator) plain += text[i];
    const bool fits =
        i > 0 && i + 1 < text.size() && is_digit(text[i - 1]) && is_digit(text[i + 1]);
    if (is_separator && !fits) return std::nullopt;
  }
  return plain;
}

/// The floats that have no digits.
std::optional<double> named_float(std::string_view text) {
  const bool negative = text.starts_with('-');
  const std::string name = to_lower_ascii(text.substr(negative ? 1 : 0));
  const bool infinite = name == "inf" || name == "infinity";
  if (!infinite && name != "nan") return std::nullopt;
  const double value =
      infinite ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  return negative ? -value : value;
}

}  // namespace

std::string str(const Json& value) {
  return value.string() != nullptr ? *value.string() : repr(value);
}

std::string repr(const Json& value) {
  std::string out;
  append_repr(out, value);
  return out;
}

std::string repr(double value) {
  if (std::isnan(value)) return "nan";
  // {fmt}'s default form is Python's, but for the ".0" of a whole number.
  std::string text = fmt::format("{}", value);
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

std::string upper(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const utf8::Decoded next = utf8::decode(text);
    if (next.valid) {
      append_upper(out, next.code_point);
    } else {
      out += text.front();
    }
    text.remove_prefix(next.length);
  }
  return out;
}

std::optional<std::int64_t> to_int(std::string_view text) {
  const auto plain = plain_number(text);
  return plain ? parse_number<std::int64_t>(*plain) : std::nullopt;
}

std::optional<double> to_float(std::string_view text) {
  const auto plain = plain_number(text);
  if (!plain) return std::nullopt;
  const auto named = named_float(*plain);
  return named ? named : parse_float(*plain);
}

}  // namespace trainit::python
