#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/python_lines.h"
#include "diagnose/recognise.h"

// Tracebacks as the package rich draws them: a box with the frames and their code, then the
// exception, its message wrapped at the box's width.
namespace trainit::diagnose {
namespace {

constexpr std::string_view kTitle = " Traceback (most recent call last) ─";
constexpr std::string_view kTop = "╭─", kSide = "│ ", kBottom = "╰─";

/// `│ /opt/ml/code/train.py:42 in make_optimizer    │`; code stands further in.
std::optional<Frame> boxed_frame(std::string_view line) {
  if (!line.starts_with(kSide)) return std::nullopt;
  line.remove_prefix(kSide.size());
  if (line.starts_with(' ')) return std::nullopt;
  if (const std::size_t side = line.rfind("│"); side != std::string_view::npos)
    line = line.substr(0, side);
  const std::size_t name = line.find(" in ");
  const std::string_view place = trim(line.substr(0, name));
  const std::size_t colon = place.rfind(':');
  if (colon == std::string_view::npos || !parse_number<int>(place.substr(colon + 1)))
    return std::nullopt;
  return Frame{place.substr(0, colon), place.substr(colon + 1), trim(line)};
}

/// The exception under the box, and the line that its message ends in.
std::string unwrapped_message(const Lines& lines, std::size_t& line) {
  constexpr std::size_t kMessageLines = 8;
  std::string message(trim(utf8::truncate(lines[line], kLongestSummary)));
  const std::size_t last = line + kMessageLines;
  while (line < last && !trim(lines[line + 1]).empty() && !lines[line + 1].starts_with(kTop)) {
    ++line;
    message += ' ';
    message += trim(utf8::truncate(lines[line], kLongestSummary));
  }
  return std::string(utf8::truncate(message, kLongestSummary));
}

}  // namespace

Attempt python_rich_traceback(const Lines& lines, std::size_t at) {
  const std::string_view top = utf8::truncate(lines[at], kLongestSummary);
  if (!top.starts_with(kTop) || top.find(kTitle) == std::string_view::npos)
    return {at, std::nullopt};
  std::optional<Frame> deepest;
  std::size_t line = at + 1;
  for (; lines[line].starts_with(kSide); ++line) {
    const auto frame = boxed_frame(utf8::truncate(lines[line], kLongestSummary));
    if (frame && (frame->of_user() || !deepest || !deepest->of_user())) deepest = frame;
  }
  if (!lines[line].starts_with(kBottom)) return {line, std::nullopt};
  if (exception_type(lines[line + 1]).empty()) return {line + 1, std::nullopt};
  Candidate found;
  found.first = at;
  found.last = line + 1;
  found.exception = true;
  found.error.summary = unwrapped_message(lines, found.last);
  found.error.communication = speaks_of_communication(found.error.summary);
  if (deepest) {
    found.error.location = deepest->location();
    found.error.frame = deepest->text;
  }
  return {found.last + 1, std::move(found)};
}

}  // namespace trainit::diagnose
