#include "diagnose/lines.h"

#include "base/text.h"
#include "base/utf8.h"

namespace trainit::diagnose {
namespace {

constexpr char kEscape = '\x1b';

bool is_final_byte(char c) { return c >= 0x40 && c <= 0x7E; }

/// The length of the terminal escape at the start of `line`, which begins with ESC. One that has no
/// end within the line takes its two first bytes only: the rest may be text.
std::size_t escape_length(std::string_view line) {
  if (line.size() < 2) return line.size();
  if (line[1] == '[') {
    std::size_t end = 2;
    while (end < line.size() && line[end] >= 0x20 && line[end] < 0x40) ++end;
    return end < line.size() && is_final_byte(line[end]) ? end + 1 : end;
  }
  if (line[1] == ']') {
    constexpr std::size_t kLongest = 4096;  // an operating system command: a title, a hyperlink
    const std::size_t end = line.substr(0, kLongest).find_first_of("\a\x1b", 2);
    if (end == std::string_view::npos) return 2;
    return line.substr(end, 2) == "\x1b\\" ? end + 2 : end + (line[end] == '\a' ? 1 : 0);
  }
  return 2;
}

/// What a terminal shows of a line in which the cursor went back to its start.
std::string_view last_overwrite(std::string_view line) {
  while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  const std::size_t back = line.rfind('\r');
  return back == std::string_view::npos ? line : line.substr(back + 1);
}

void append_visible(std::string& text, std::string_view line) {
  line = last_overwrite(line);
  for (std::size_t i = 0; i < line.size();) {
    const char c = line[i];
    if (c == kEscape) {
      i += escape_length(line.substr(i));
      continue;
    }
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    if (!control || c == '\t') text += c;
    ++i;
  }
}

}  // namespace

Lines::Lines(std::string_view output) {
  std::string visible;
  visible.reserve(output.size());
  while (!output.empty()) {
    const std::size_t end = output.find('\n');
    append_visible(visible, output.substr(0, end));
    if (end == std::string_view::npos) break;
    visible += '\n';
    output.remove_prefix(end + 1);
  }
  text_ = utf8::sanitize(visible);
  lines_ = split(text_, '\n');
}

}  // namespace trainit::diagnose
