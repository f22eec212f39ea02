#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/python_lines.h"
#include "diagnose/recognise.h"

// Python's other ways to say why it ends: exception groups and the interpreter's own fatal errors.
namespace trainit::diagnose {
namespace {

constexpr std::string_view kGroupHeader = "+ Exception Group Traceback (most recent call last):";
constexpr std::string_view kFatal = "Fatal Python error: ";

/// A line of a group without its frame of '|', '+' and '-'; nothing when it has none.
std::optional<std::string_view> inside_group(std::string_view line, std::string_view prefix) {
  const auto rest = without_prefix(line, prefix);
  if (!rest) return std::nullopt;
  const std::size_t bar = rest->find_first_not_of(' ');
  if (bar == std::string_view::npos || bar == 0) return std::nullopt;
  if ((*rest)[bar] == '+') return std::string_view();
  if ((*rest)[bar] != '|') return std::nullopt;
  // The message of a nested exception may have lost its frame's trailing space.
  return rest->substr(std::min(bar + 2, rest->size()));
}

bool is_group(std::string_view type) { return type.ends_with("ExceptionGroup"); }

/// What a group is about: its own line, and the first plain exception in it.
struct Group {
  std::string_view own, member;
  std::optional<Frame> own_frame, member_frame;
};

void read_line(Group& group, std::string_view text, std::optional<Frame>& frame) {
  if (const auto parsed = parse_frame(text)) {
    if (parsed->of_user() || !frame) frame = parsed;
    return;
  }
  const std::string_view type = exception_type(text);
  if (type.empty()) return;
  if (is_group(type)) {
    if (!group.own.empty()) return;
    group.own = text;
    group.own_frame = frame;
    frame.reset();
  } else if (group.member.empty() && !group.own.empty()) {
    group.member = text;
    group.member_frame = frame;
  }
}

ErrorText to_error(const Group& group) {
  ErrorText error;
  error.summary = utf8::truncate(group.own, kLongestSummary);
  if (!group.member.empty()) {
    error.summary += ": " + std::string(utf8::truncate(group.member, kLongestSummary));
  }
  if (const auto& frame = group.member_frame ? group.member_frame : group.own_frame) {
    error.location = frame->location();
    error.frame = frame->text;
  }
  error.communication = speaks_of_communication(error.summary);
  return error;
}

}  // namespace

Attempt python_exception_group(const Lines& lines, std::size_t at) {
  constexpr std::size_t kForeignLines = 16;
  if (!lines[at].ends_with(kGroupHeader)) return {at, std::nullopt};
  const std::string_view before = lines[at].substr(0, lines[at].size() - kGroupHeader.size());
  const std::string_view prefix =
      before.ends_with("  ") ? before.substr(0, before.size() - 2) : before;
  Group group;
  std::optional<Frame> frame;
  std::size_t last = at;
  for (std::size_t i = at + 1; i < lines.size() && i - last <= kForeignLines; ++i) {
    const auto text = inside_group(lines[i], prefix);
    if (!text) continue;
    if (lines[i].ends_with(kGroupHeader)) break;
    read_line(group, *text, frame);
    last = i;
  }
  if (group.own.empty()) return {last + 1, std::nullopt};
  return {last + 1, Candidate{to_error(group), at, last, prefix, true}};
}

Attempt python_fatal_error(const Lines& lines, std::size_t at) {
  constexpr std::size_t kStackLines = 110;  // faulthandler prints at most 100 frames
  const std::size_t start = lines[at].find(kFatal);
  if (start == std::string_view::npos) return {at, std::nullopt};
  Candidate found;
  found.first = found.last = at;
  found.error.summary = utf8::truncate(lines[at].substr(start), kLongestSummary);
  std::optional<Frame> innermost;
  for (std::size_t i = at + 1; i < lines.size() && i - at < kStackLines; ++i) {
    const auto frame = parse_frame(lines[i], true);
    const bool blank = trim(lines[i]).empty();
    if (!frame && innermost) break;  // the first stack is that of the thread that failed
    if (!frame && !blank && !lines[i].ends_with("(most recent call first):")) break;
    if (!blank) found.last = i;
    if (frame && (!innermost || (frame->of_user() && !innermost->of_user()))) innermost = frame;
  }
  if (innermost) {
    found.error.location = innermost->location();
    found.error.frame = innermost->text;
  }
  return {found.last + 1, std::move(found)};
}

}  // namespace trainit::diagnose
