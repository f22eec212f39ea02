#pragma once

#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

/// Small things about ASCII text, all without a locale.
namespace trainit {

/// "a,b" at ',' → "a", "b". Always at least one piece.
std::vector<std::string_view> split(std::string_view text, char separator);

/// "a", "b" → "a, b".
std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// "rank 3", "ranks 0–2 and 5": of ranks in rising order.
std::string name_ranks(const std::vector<int>& ranks);

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Without spaces, tabs and line ends at both ends.
std::string_view trim(std::string_view text);

std::string to_lower_ascii(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);

/// On one line, unless its line feeds are kept, and nothing that a terminal would obey: control
/// characters as "\n", "\x1b", those of two bytes (U+0080 to U+009F) and bytes that are no UTF-8 as
/// "\x9b"; a tab stays.
std::string escape_controls(std::string_view text, bool keep_line_feeds = false);

/// The whole text as a decimal number of this type; nothing when it is none or does not fit ("inf"
/// and "nan" are none).
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  if constexpr (std::is_floating_point_v<Number>) {
    if (!std::isfinite(value)) return std::nullopt;
  }
  return value;
}

/// The whole text as a decimal number, as Python's `float` rounds it: too large is infinity, too
/// small is zero. Nothing when it is no number ("inf" and "nan" are none).
std::optional<double> parse_float(std::string_view text);

/// "4.0 GB", "350 MB": bytes for people, in powers of 1024.
std::string human_bytes(std::uint64_t bytes);
/// "48 s", "5 min", "6 min 12 s", "2 h 5 min"; "0.4 s" below ten seconds.
std::string human_seconds(double seconds);

}  // namespace trainit
