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
    python_exception_group,
    python_traceback,
    python_rich_traceback,
    python_fatal_error,
    cpp_terminate,
    libc_abort,
    sanitizer_report,
    java_exception,
    java_machine_error,
    go_panic,
    rust_panic,
    r_error,
    julia_error,
    mpi_error,
    mpi_report,
    gpu_error_line,
};

// A native message this soon after an error is what the error led to, or more of it.
constexpr std::size_t kWakeLines = 20;
// How many lines before the end a line that only speaks of an error still counts.
constexpr std::size_t kLineReach = 50;
// The longest block that is kept; the failure file shows 1,024 bytes of it.
constexpr std::size_t kLongestDetail = std::size_t{16} * 1024;

/// A report that the kernel, or somebody, ended a process explains why others lost their peer.
bool explains_loss(const Candidate& report, const Candidate& other) {
  return report.killed && other.error.communication;
}

/// True for what is printed so soon after an error that it may be of its making.
bool in_wake(const Candidate& next, const Candidate& best) {
  return next.first - std::max(best.last, best.dump_end) <= kWakeLines;
}

/// True where a launcher's prefixes show that two errors are of two ranks, and only the second says
/// that a peer is gone: then the first, whichever came first, is what happened to that peer.
bool is_lost_peer_of(const Candidate& error, const Candidate& other) {
  const std::string_view mine = trim(error.prefix), others = trim(other.prefix);
  const bool ranks = !mine.empty() && !others.empty() && mine != others;
  return ranks && error.weight == Weight::kFatal && !error.error.communication &&
         other.error.communication;
}

/// Of two errors the heavier explains the end, else the later.
bool replaces(const Candidate& next, const Candidate& best) {
  if (explains_loss(next, best) || is_lost_peer_of(next, best)) return true;
  if (explains_loss(best, next) || is_lost_peer_of(best, next)) return false;
  const bool wake = in_wake(next, best);
  if (wake && best.weight > Weight::kLine && reports_child(next.error.summary)) return false;
  if (next.weight != best.weight) return next.weight > best.weight;
  return next.exception || !wake;
}

/// Takes the next error as the best one, or as a consequence of that, after which others may
/// follow.
void consider(Candidate next, std::size_t end, std::optional<Candidate>& best) {
  if (!best || replaces(next, *best)) {
    best = std::move(next);
    return;
  }
  const bool consequence = next.weight == Weight::kReport || next.weight == best->weight;
  if (consequence && in_wake(next, *best)) best->dump_end = end - 1;
}

/// The lines first to last, without what stands before each; the end of them when they are longer
/// than `longest`.
std::string block(const Lines& lines, std::size_t first, std::size_t last, std::string_view prefix,
                  std::size_t longest = kLongestDetail) {
  std::size_t size = 0, from = last + 1;
  while (from > first && size + lines[from - 1].size() < longest) {
    --from;
    size += lines[from].size() + 1;
  }
  std::string text;
  if (from > last) text = utf8::truncate(lines[last], longest);
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
  std::size_t i = std::max(candidate.last, candidate.dump_end) + 1;
  for (; i < lines.size() && remarks <= kRemarks; ++i) {
    const bool native_stack = lines[i].starts_with("frame #");
    if (!native_stack && !trim(lines[i]).empty()) ++remarks;
  }
  return remarks <= kRemarks;
}

/// How many lines there are but for empty ones at the end.
std::size_t end_of_text(const Lines& lines) {
  std::size_t end = lines.size();
  while (end > 0 && trim(lines[end - 1]).empty()) --end;
  return end;
}

/// What a program printed at last, long after an error that it had perhaps survived, belongs to the
/// account of its end.
void add_end(const Lines& lines, ErrorText& error) {
  constexpr std::size_t kLastLines = 5, kLongestEnd = 1024;
  const std::size_t end = end_of_text(lines);
  error.last_line = utf8::truncate(trim(lines[end - 1]), kLongestSummary);
  const std::string ending = "\n…\n" + block(lines, end - kLastLines, end - 1, "", kLongestEnd);
  const auto kept = utf8::last_bytes(error.detail, kLongestDetail - ending.size());
  error.detail = std::string(kept) + ending;
  error.communication = error.communication || speaks_of_communication(error.last_line);
}

std::size_t offset_of_line(std::string_view tail, std::size_t line) {
  std::size_t offset = 0;
  while (line-- > 0) offset = tail.find('\n', offset) + 1;
  return offset;
}

/// A line that only speaks of an error explains nothing when much was printed after it.
bool is_too_far_back(const Lines& lines, const Candidate& candidate) {
  return candidate.weight == Weight::kLine && candidate.last + kLineReach < lines.size();
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
      const bool counts = attempt.found && !is_too_far_back(lines, *attempt.found);
      if (counts) consider(std::move(*attempt.found), attempt.next, best);
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
  // An indentation belongs to the block; what a program puts in front of it does not.
  const bool indentation = trim(best->prefix).empty();
  best->error.detail = block(lines, best->first, best->last, indentation ? "" : best->prefix);
  if (!are_last_words(lines, *best)) add_end(lines, best->error);
  best->error.offset = offset_of_line(tail, best->first);
  return std::move(best->error);
}

std::optional<ErrorText> last_lines(std::string_view tail) {
  constexpr std::size_t kLastLines = 20;
  const Lines lines(tail);
  const std::size_t last = end_of_text(lines);
  if (last == 0) return std::nullopt;
  ErrorText error;
  error.summary = utf8::truncate(trim(lines[last - 1]), kLongestSummary);
  error.detail = block(lines, last - std::min(last, kLastLines), last - 1, "");
  error.communication = speaks_of_communication(error.summary);
  error.only_last_lines = true;
  return error;
}

}  // namespace trainit::diagnose
