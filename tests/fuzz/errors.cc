// The failure's text from whatever a worker printed: at most 1,024 bytes of UTF-8, its cause on a
// first line of at most 200, found in a time that grows with the length of the output and not
// faster.
//
// The input is the tail of a worker's output, or an error file. What stands between two \1 in it is
// written until 16 KiB are full.

#include <signal.h>
#include <time.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "diagnose/error_text.h"
#include "diagnose/failure_text.h"
#include "must.h"

using namespace trainit;
using namespace trainit::diagnose;
using fuzz::must;

namespace {

constexpr std::size_t kTail = std::size_t{16} * 1024;

// --------------------------------------------------------------------------------------- the error

void check_error(const ErrorText& error) {
  must(error.summary.find('\n') == std::string::npos && fuzz::is_utf8(error.summary),
       "an error's summary is one line of UTF-8");
  must(error.summary.size() <= 4200, "an error's summary has at most some 4 KiB");
  must(fuzz::is_utf8(error.detail), "an error's block is UTF-8");
  must(fuzz::is_utf8(error.location) && fuzz::is_utf8(error.frame), "its place is UTF-8");
}

void check_block(const ErrorText& error, std::string_view tail) {
  must(error.detail.size() <= 16 * 1024, "an error's block has at most 16 KiB");
  must(error.offset == 0 || (error.offset <= tail.size() && tail[error.offset - 1] == '\n'),
       "it begins with a line of the tail");
}

// ------------------------------------------------------------------------------ the texts about it

/// The same words with two ends: a plain one, and one of the others.
std::vector<Evidence> ends_with(const std::optional<ErrorText>& error, std::string_view host,
                                std::size_t kind) {
  std::vector<Evidence> both(2);
  for (Evidence& end : both) {
    end.host = host;
    end.status = sys::ExitStatus::exited(1);
    end.error = error;
    end.after = std::chrono::seconds(kind * kind * 100);
    end.exited_at = sys::TimePoint(std::chrono::hours(1) + end.after);
  }
  Evidence& other = both[1];
  other.rank = 1;
  other.host += kind % 2 == 0 ? "" : "2";
  other.memory_limit = other.shared_memory = std::uint64_t{64} << 20;
  if (kind == 0) other.status = sys::ExitStatus::killed(SIGBUS);
  if (kind == 1) other.status = sys::ExitStatus::exited(137);
  if (kind == 2) other.oom = true;
  if (kind == 3) {
    other.stopped_by_us = true;
    other.status = sys::ExitStatus::killed(SIGTERM);
  }
  if (kind == 4) {
    other.spawn_error.emplace();
    other.spawn_text = error ? error->detail : host;
  }
  return both;
}

void check_text(std::string_view text) {
  must(!text.empty() && text.size() <= 1024, "a failure has at most 1,024 bytes");
  must(fuzz::is_utf8(text), "a failure is UTF-8");
}

void check_failure(const Evidence& evidence) {
  const std::string text = failure_text(decide(std::span(&evidence, 1)));
  check_text(text);
  const std::string summary = summarize(evidence);
  must(!summary.empty() && summary.size() <= 200 && fuzz::is_one_line(summary),
       "the cause has at most 200 bytes, on one line");
  must(evidence.stopped_by_us || text.starts_with(summary), "the cause comes first");
}

void check_texts(const std::optional<ErrorText>& error, std::string_view input) {
  const std::vector<Evidence> ends = ends_with(error, input.substr(0, 100), input.size() % 5);
  for (const Evidence& end : ends) check_failure(end);
  const std::string consequence = describe_consequence(ends[0], ends[1]);
  must(fuzz::is_one_line(consequence) && fuzz::is_utf8(consequence) && consequence.size() < 400,
       "a consequence is one short line");
  check_text(failure_text(decide(ends)));
  std::vector<const Evidence*> all;
  for (const Evidence& end : ends) all.push_back(&end);
  check_text(stop_text(ends[0].host, SIGTERM, std::chrono::seconds(7), all));
}

// ---------------------------------------------------------------------------------------- the time

double cpu_seconds() {
  timespec now = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// `text` with what stands between the two marks as often as fits.
std::string fill(std::string_view text, std::size_t bytes) {
  const std::size_t first = text.find('\1');
  const std::size_t second = first == std::string_view::npos ? first : text.find('\1', first + 1);
  if (second == std::string_view::npos) return std::string(text);
  const std::string_view repeated = text.substr(first + 1, second - first - 1);
  std::string result(text.substr(0, first));
  while (!repeated.empty() && result.size() + repeated.size() <= bytes) result += repeated;
  return result += text.substr(second + 1);
}

/// What a worker's output says; how long it took goes into `seconds`.
std::optional<ErrorText> find(std::string_view tail, double& seconds) {
  const double before = cpu_seconds();
  std::optional<ErrorText> error = find_error(tail);
  if (!error) error = last_lines(tail);
  seconds = cpu_seconds() - before;
  return error;
}

/// Four times the length in at most ten times the time; a square would be sixteen. Times that are
/// hard to measure are too short to matter, and one that is not ours alone is measured again.
void check_time(std::string_view input, double seconds) {
  constexpr double kShort = 0.05;
  if (seconds < kShort) return;
  const std::string part = fill(input, kTail), whole = fill(input, 4 * kTail);
  for (int i = 0; i < 3; ++i) {
    double of_part = 0, of_whole = 0;
    find(part, of_part);
    find(whole, of_whole);
    if (of_whole < 10 * of_part) return;
  }
  must(false, "the time grows with the length of the output");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::text_of(data, size);
  const std::string tail = fill(input, kTail);
  double seconds = 0;
  const std::optional<ErrorText> found = find(tail, seconds);
  if (found) check_error(*found);
  if (found) check_block(*found, tail);
  if (tail.size() > input.size()) check_time(input, seconds);
  const std::optional<ErrorText> file = read_error_file(input);
  if (file) check_error(*file);
  check_texts(file ? file : found, input);
  return 0;
}
