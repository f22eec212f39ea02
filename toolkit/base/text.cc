#include "base/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/utf8.h"

namespace trainit {
namespace {

/// Of the C0 and C1 sets, and DEL.
bool is_control(std::uint32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0);
}

bool is_printable_ascii(char c) { return c >= ' ' && c <= '~'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Whether a decimal number that is not zero is below one, by its digits and exponent alone.
bool is_below_one(std::string_view text) {
  const std::size_t mark = std::min(text.find_first_of("eE"), text.size());
  const std::string_view digits = text.substr(0, mark);
  std::string_view exponent = text.substr(std::min(mark + 1, text.size()));
  if (exponent.starts_with('+')) exponent.remove_prefix(1);
  const long point = static_cast<long>(std::min(digits.find('.'), digits.size()));
  const long first = static_cast<long>(digits.find_first_of("123456789"));
  // An exponent this large outweighs any digits; with a larger one the sum would overflow.
  constexpr long kMost = 1L << 62;
  const long beyond = exponent.starts_with('-') ? -kMost : kMost;
  const long tens = exponent.empty() ? 0 : parse_number<long>(exponent).value_or(beyond);
  return point - first + std::clamp(tens, -kMost, kMost) <= 0;
}

}  // namespace

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string result;
  for (const std::string& part : parts) {
    if (&part != parts.data()) result += separator;
    result += part;
  }
  return result;
}

std::string name_ranks(const std::vector<int>& ranks) {
  std::vector<std::string> parts;
  for (std::size_t first = 0, last = 0; first < ranks.size(); first = ++last) {
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) ++last;
    if (last == first + 1) last = first;  // two are no range
    const std::string end = last > first ? "–" + std::to_string(ranks[last]) : "";
    parts.push_back(std::to_string(ranks[first]) + end);
  }
  const std::string final = parts.empty() ? "" : parts.back();
  if (!parts.empty()) parts.pop_back();
  return (ranks.size() == 1 ? "rank " : "ranks ") + join(parts, ", ") +
         (parts.empty() ? "" : " and ") + final;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string escape_controls(std::string_view text, bool keep_line_feeds) {
  std::string result;
  while (true) {
    const auto plain =
        std::find_if_not(text.begin(), text.end(), is_printable_ascii) - text.begin();
    result += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return result;
    const utf8::Decoded character = utf8::decode(text);
    const std::uint32_t point = character.code_point;
    const bool kept = point == '\t' || (keep_line_feeds && point == '\n');
    if (character.valid && (kept || !is_control(point))) {
      result += text.substr(0, character.length);
    } else {
      result += point == '\n' ? "\\n" : fmt::format("\\x{:02x}", point);
    }
    text.remove_prefix(character.length);
  }
}

std::string to_lower_ascii(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<double> parse_float(std::string_view text) {
  double value = 0;
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (stop != end || error == std::errc::invalid_argument) return std::nullopt;
  if (!std::isfinite(value)) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    value = is_below_one(text) ? 0 : std::numeric_limits<double>::infinity();
    return text.front() == '-' ? -value : value;
  }
  return value;
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "KB", "MB", "GB", "TB"};
  auto number = static_cast<double>(bytes);
  int unit = 0;
  while (number >= 1023.5 && unit < 4) {
    number /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", number, unit >= 3 && number < 100 ? 1 : 0, kUnits[unit]);
}

std::string human_seconds(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const long whole = std::lround(seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  const auto two = [](long large, const char* unit, long small, const char* small_unit) {
    return fmt::format("{} {}", large, unit) +
           (small > 0 ? fmt::format(" {} {}", small, small_unit) : "");
  };
  if (whole < 3600) return two(whole / 60, "min", whole % 60, "s");
  return two(whole / 3600, "h", whole / 60 % 60, "min");
}

}  // namespace trainit
