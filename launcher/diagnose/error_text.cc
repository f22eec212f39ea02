#include "diagnose/error_text.h"

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/lines.h"
#include "diagnose/recognise.h"

namespace trainit::diagnose {
namespace {

/// In order: the first that knows a line gets it.
constexpr Recogniser kRecognisers[] = {
    python_exception_group, python_traceback, python_rich_traceback, python_fatal_error,
    cpp_terminate,          libc_abort,       sanitizer_report,      gpu_error_line,
};

// A native message this soon after an error is what the error led to, or more of it.
constexpr std::size_t kWakeLines = 20;
// A line that only speaks of an error explains nothing when the program printed more than this
// after it.
constexpr std::size_t kLineReach = 50;
// The longest block that is kept; the failure file shows 1,024 bytes of it.
constexpr std::size_t kLongestDetail = 16 * 1024;

/// Of two errors the heavier explains the end, else the later.
bool replaces(const Candidate& next, const std::optional<Candidate>& best) {
  if (!best || next.weight > best->weight) return true;
  if (next.weight < best->weight) return false;
  return next.exception || next.first - best->last > kWakeLines;
}

/// The lines first to last, without what stands before each; the end of them when they are too
/// long.
std::string block(const Lines& lines, std::size_t first, std::size_t last,
                  std::string_view prefix) {
  std::size_t size = 0, from = last + 1;
  while (from > first && size + lines[from - 1].size() < kLongestDetail) {
    --from;
    size += lines[from].size() + 1;
  }
  std::string text;
  if (from > last) text = utf8::truncate(lines[last], kLongestDetail);
  for (std::size_t i = from; i <= last; ++i) {
    const std::string_view line = lines[i];
    text += line.starts_with(prefix) ? line.substr(prefix.size()) : line;
    text += '\n';
  }
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

/// Programs print a little more after their error: warnings of libraries, a shell's remark.
bool are_last_words(const Lines& lines, const Candidate& candidate) {
  constexpr int kRemarks = 10;
  int remarks = 0;
  for (std::size_t i = candidate.last + 1; i < lines.size() && remarks <= kRemarks; ++i) {
    const bool native_stack = lines[i].starts_with("frame #");
    if (!native_stack && !trim(lines[i]).empty()) ++remarks;
  }
  return remarks <= kRemarks;
}

std::size_t offset_of_line(std::string_view tail, std::size_t line) {
  std::size_t offset = 0;
  while (line-- > 0) offset = tail.find('\n', offset) + 1;
  return offset;
}

std::optional<Candidate> best_candidate(const Lines& lines) {
  std::optional<Candidate> best;
  for (std::size_t i = 0; i < lines.size();) {
    std::size_t next = i + 1;
    for (const Recogniser recognise : kRecognisers) {
      if (lines[i].empty()) break;
      Attempt attempt = recognise(lines, i);
      if (attempt.next == i) continue;
      next = attempt.next;
      if (attempt.found && replaces(*attempt.found, best)) best = std::move(attempt.found);
      break;
    }
    i = next;
  }
  return best;
}

}  // namespace

std::optional<ErrorText> find_error(std::string_view tail) {
  const Lines lines(tail);
  std::optional<Candidate> best = best_candidate(lines);
  if (!best) return std::nullopt;
  if (best->weight == Weight::kLine && best->last + kLineReach < lines.size()) return std::nullopt;
  // An indentation belongs to the block; what a program puts in front of it does not.
  const bool indentation = trim(best->prefix).empty();
  best->error.detail = block(lines, best->first, best->last, indentation ? "" : best->prefix);
  best->error.last_words = are_last_words(lines, *best);
  best->error.offset = offset_of_line(tail, best->first);
  return std::move(best->error);
}

std::optional<ErrorText> last_lines(std::string_view tail) {
  constexpr std::size_t kLastLines = 20;
  const Lines lines(tail);
  std::size_t last = lines.size();
  while (last > 0 && trim(lines[last - 1]).empty()) --last;
  if (last == 0) return std::nullopt;
  ErrorText error;
  error.summary = utf8::truncate(trim(lines[last - 1]), kLongestSummary);
  error.detail = block(lines, last - std::min(last, kLastLines), last - 1, "");
  error.communication = speaks_of_communication(error.summary);
  error.only_last_lines = true;
  return error;
}

}  // namespace trainit::diagnose
