#include "diagnose/python_lines.h"

#include <algorithm>

#include "base/text.h"
#include "diagnose/recognise.h"

namespace trainit::diagnose {
namespace {

constexpr std::string_view kHeader = "Traceback (most recent call last):";
constexpr std::string_view kFrame = "  File \"";

bool may_be_in_type(char c) {
  // <locals> stands in the name of a class that a function made; bytes past ASCII are letters.
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '.' ||
         c == '<' || c == '>' || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

bool Frame::of_user() const {
  constexpr std::string_view kForeign[] = {"/site-packages/", "/dist-packages/", "/lib/python",
                                           "/lib64/python"};
  if (path.starts_with('<')) return !path.starts_with("<frozen");
  return std::none_of(std::begin(kForeign), std::end(kForeign), [&](std::string_view part) {
    return path.find(part) != std::string_view::npos;
  });
}

std::string Frame::location() const {
  const std::size_t slash = path.rfind('/');
  std::string result(slash == std::string_view::npos ? path : path.substr(slash + 1));
  result += ':';
  return result += line;
}

std::optional<Frame> parse_frame(std::string_view line, bool faulthandler) {
  constexpr std::string_view kLine = "\", line ";
  if (!line.starts_with(kFrame)) return std::nullopt;
  const std::size_t path_end = line.find(kLine, kFrame.size());
  if (path_end == std::string_view::npos) return std::nullopt;
  const std::size_t number = path_end + kLine.size();
  std::size_t end = number;
  while (end < line.size() && is_digit(line[end])) ++end;
  const std::string_view rest = trim(line.substr(end));
  const std::string_view expected = faulthandler ? "in " : ", in ";
  if (end == number || !(rest.empty() || rest.starts_with(expected))) return std::nullopt;
  return Frame{line.substr(kFrame.size(), path_end - kFrame.size()),
               line.substr(number, end - number), trim(line)};
}

bool is_traceback_header(std::string_view line) {
  line = trim(line);
  return line.ends_with(kHeader) &&
         !line.ends_with("Exception Group Traceback (most recent call last):");
}

std::string_view prefix_of_traceback(const Lines& lines, std::size_t at) {
  constexpr std::size_t kLongest = 200;
  const std::string_view next = lines[at + 1];
  if (const std::size_t frame = next.find(kFrame); frame <= kLongest) return next.substr(0, frame);
  const std::string_view header = lines[at];
  const std::string_view before = header.substr(0, header.find(kHeader));
  const bool repeated = before.size() <= kLongest && next.starts_with(before);
  return repeated ? before : before.substr(0, std::min(before.find_first_not_of(" \t"), kLongest));
}

std::optional<std::string_view> without_prefix(std::string_view line, std::string_view prefix) {
  if (line.starts_with(prefix)) return line.substr(prefix.size());
  const std::size_t last = prefix.find_last_not_of(" \t");
  if (last == std::string_view::npos) return trim(line).empty() ? std::optional("") : std::nullopt;
  return line == prefix.substr(0, last + 1) ? std::optional("") : std::nullopt;
}

std::string_view exception_type(std::string_view line) {
  constexpr std::size_t kLongest = 300;
  if (line.empty() || is_digit(line[0]) || !may_be_in_type(line[0])) return {};
  std::size_t end = 0;
  while (end < line.size() && end < kLongest && may_be_in_type(line[end])) ++end;
  const std::string_view type = line.substr(0, end);
  if (type.ends_with('.') || type.starts_with('.')) return {};
  const std::string_view rest = line.substr(end);
  return rest.empty() || rest.starts_with(": ") || rest == ":" ? type : std::string_view();
}

bool is_known_exception_type(std::string_view type) {
  constexpr std::string_view kEnds[] = {"Error", "Exception", "Warning",  "Interrupt",
                                        "Exit",  "Iteration", "Exceeded", "Timeout"};
  return std::any_of(std::begin(kEnds), std::end(kEnds),
                     [&](std::string_view end) { return type.ends_with(end); });
}

}  // namespace trainit::diagnose
