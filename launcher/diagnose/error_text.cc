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
// What of the end of the output is put under an error: how many lines, and how many bytes.
constexpr std::size_t kLastLines = 5, kLongestEnd = 1024;
constexpr std::string_view kLeftOut = "\n…\n";
// How many lines a program may print after its error without having gone on.
constexpr std::size_t kRemarks = 10;

/// A report that the kernel, or somebody, ended a process explains why others lost their peer.
bool explains_loss(const Candidate& report, const Candidate& other) {
  return report.killed && other.error.communication;
}

/// How many lines there are but for empty ones at the end.
std::size_t end_of_text(const Lines& lines) {
  std::size_t end = lines.size();
  while (end > 0 && trim(lines[end - 1]).empty()) --end;
  return end;
}

/// What stands among the lines of an error and is nothing else that the program said: a native
/// stack, and the trace in which NCCL says where an error came through.
bool belongs_to_error(std::string_view line) {
  return trim(line).empty() || line.starts_with("frame #") ||
         line.find("NCCL INFO ") != std::string_view::npos;
}

/// Whether more than `most` of the lines `first` to `end` are something else that it said.
bool has_remarks(const Lines& lines, std::size_t first, std::size_t end, std::size_t most) {
  std::size_t remarks = 0;
  for (std::size_t i = first; i < end && remarks <= most; ++i) {
    if (!belongs_to_error(lines[i])) ++remarks;
  }
  return remarks > most;
}

std::size_t last_line_of(const Candidate& candidate) {
  return std::max(candidate.last, candidate.dump_end);
}

/// True for what is printed so soon after an error that it may be of its making. Of two lines that
/// only speak of an error the program had survived the first if it said anything in between.
bool in_wake(const Lines& lines, const Candidate& next, const Candidate& best) {
  const std::size_t last = last_line_of(best);
  if (next.first - last > kWakeLines) return false;
  const bool both_lines = next.error.weight == Weight::kLine && best.error.weight == Weight::kLine;
  return !both_lines || !has_remarks(lines, last + 1, next.first, 0);
}

/// True where a launcher's prefixes show that two errors are of two ranks, and only the second says
/// that a peer is gone: then the first, whichever came first, is what happened to that peer.
bool is_lost_peer_of(const Candidate& error, const Candidate& other) {
  const std::string_view mine = trim(error.prefix), others = trim(other.prefix);
  const bool ranks = !mine.empty() && !others.empty() && mine != others;
  return ranks && error.error.weight == Weight::kFatal && !error.error.communication &&
         other.error.communication;
}

/// Of two errors the heavier explains the end, else the later.
bool replaces(const Lines& lines, const Candidate& next, const Candidate& best) {
  if (explains_loss(next, best) || is_lost_peer_of(next, best)) return true;
  if (explains_loss(best, next) || is_lost_peer_of(best, next)) return false;
  const bool wake = in_wake(lines, next, best);
  const Weight newer = next.error.weight, older = best.error.weight;
  if (wake && older > Weight::kLine && reports_child(next.error.summary)) return false;
  if (newer != older) return newer > older;
  return next.exception || !wake;
}

/// Takes the next error as the best one, or as a consequence of that, after which others may
/// follow.
void consider(const Lines& lines, Candidate next, std::size_t end, std::optional<Candidate>& best) {
  if (!best || replaces(lines, next, *best)) {
    best = std::move(next);
    return;
  }
  const Weight weight = next.error.weight;
  const bool consequence = weight == Weight::kReport || weight == best->error.weight;
  if (consequence && in_wake(lines, next, *best)) best->dump_end = end - 1;
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
  if (from > last) return std::string(utf8::last_bytes(lines[last], longest));
  std::string text;
  for (std::size_t i = from; i <= last; ++i) {
    const std::string_view line = lines[i];
    text += line.starts_with(prefix) ? line.substr(prefix.size()) : line;
    text += '\n';
  }
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

/// Programs print a little more after their error: warnings of libraries, a shell's remark. A line
/// that only speaks of an error they survive more often than not; then anything else that they say
/// tells more, unless it is that a program ended which they ran.
bool are_last_words(const Lines& lines, const Candidate& candidate) {
  const std::size_t first = last_line_of(candidate) + 1, end = end_of_text(lines);
  if (has_remarks(lines, first, end, kRemarks)) return false;
  if (candidate.error.weight != Weight::kLine) return true;
  return !has_remarks(lines, first, end, 0) || reports_child(lines[end - 1]);
}

/// Puts an ending under the block of an error, which may have to give way. `between` is a line end,
/// or a line that stands for others.
void append_ending(std::string_view between, std::string_view ending, ErrorText& error) {
  const std::size_t room = kLongestDetail - between.size() - ending.size();
  error.detail = utf8::last_bytes(error.detail, room);
  error.detail.append(between).append(ending);
}

void set_last_line(std::string_view line, ErrorText& error) {
  error.last_line = utf8::truncate(trim(line), kLongestSummary);
  error.communication = error.communication || speaks_of_communication(error.last_line);
}

/// What a program printed at last, long after an error that it had perhaps survived, belongs to the
/// account of its end.
void add_end(const Lines& lines, const Candidate& candidate, ErrorText& error) {
  const std::size_t end = end_of_text(lines), first = candidate.last + 1;
  const std::size_t from = std::max(first, end - std::min(end, kLastLines));
  append_ending(from == first ? "\n" : kLeftOut, block(lines, from, end - 1, "", kLongestEnd),
                error);
  set_last_line(lines[end - 1], error);
}

std::size_t offset_of_line(std::string_view tail, std::size_t line) {
  std::size_t offset = 0;
  while (line-- > 0) offset = tail.find('\n', offset) + 1;
  return offset;
}

/// A line that only speaks of an error explains nothing when much was printed after it.
bool is_too_far_back(const Lines& lines, const Candidate& candidate) {
  return candidate.error.weight == Weight::kLine && candidate.last + kLineReach < lines.size();
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
      if (counts) consider(lines, std::move(*attempt.found), attempt.next, best);
      break;
    }
    i = next;
  }
  return best;
}

std::optional<ErrorText> error_in(std::string_view text) {
  const Lines lines(text);
  std::optional<Candidate> best = best_candidate(lines);
  if (!best) return std::nullopt;
  // An indentation belongs to the block; what a program puts in front of it does not.
  const bool indentation = trim(best->prefix).empty();
  best->error.detail = block(lines, best->first, best->last, indentation ? "" : best->prefix);
  if (!are_last_words(lines, *best)) add_end(lines, *best, best->error);
  best->error.offset = offset_of_line(text, best->first);
  return std::move(best->error);
}

/// What the tail tells of the end of an error that began before it: it is more of its message, or
/// what the program said after it.
void add_tail(std::string_view tail, ErrorText& error) {
  error.offset = ErrorText::kBeforeTail;
  const Lines lines(tail);
  const std::size_t end = end_of_text(lines);
  if (end == 0) return;
  append_ending(kLeftOut, block(lines, end - std::min(end, kLastLines), end - 1, "", kLongestEnd),
                error);
  if (has_remarks(lines, 0, end, kRemarks)) set_last_line(lines[end - 1], error);
}

}  // namespace

std::optional<ErrorText> find_error(std::string_view tail, std::string_view beginning) {
  std::optional<ErrorText> error = error_in(tail);
  std::optional<ErrorText> begun = error_in(beginning);
  const Weight of_tail = error ? error->weight : Weight::kNothing;
  if (!begun || begun->weight <= std::max(of_tail, Weight::kLine)) return error;
  add_tail(tail, *begun);
  return begun;
}

std::optional<ErrorText> last_lines(std::string_view tail, std::string_view beginning) {
  constexpr std::size_t kShown = 20;
  const Lines lines(tail), begun(beginning);
  const std::size_t last = end_of_text(lines), begun_last = end_of_text(begun);
  if (last == 0) return std::nullopt;
  const bool one_line = last == 1 && begun_last > 0;
  ErrorText error;
  error.summary =
      utf8::truncate(trim(one_line ? begun[begun_last - 1] : lines[last - 1]), kLongestSummary);
  error.detail = block(lines, last - std::min(last, kShown), last - 1, "");
  error.communication = speaks_of_communication(error.summary);
  error.weight = Weight::kNothing;
  error.offset = offset_of_line(tail, last - 1);
  return error;
}

bool outweighs(const ErrorText& in_stdout, const ErrorText& in_stderr) {
  return in_stdout.weight > in_stderr.weight && in_stdout.last_words();
}

void add_last_words(ErrorText& error, const ErrorText& last) {
  if (error.weight != Weight::kLine || reports_child(last.summary)) return;
  append_ending(kLeftOut, utf8::last_bytes(last.detail, kLongestEnd), error);
  set_last_line(last.summary, error);
}

}  // namespace trainit::diagnose
