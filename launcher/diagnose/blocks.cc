#include "diagnose/blocks.h"

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/python_lines.h"

namespace trainit::diagnose {
namespace {

bool may_be_in_brackets(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ',' || c == '.' ||
         c == ':' || c == '-' || c == '_' || c == ' ';
}

/// The length of "3: ".
std::size_t label_length(std::string_view line) {
  constexpr std::size_t kDigits = 6;
  std::size_t end = 0;
  while (end < line.size() && end < kDigits && is_digit(line[end])) ++end;
  return end > 0 && line.substr(end, 2) == ": " ? end + 2 : 0;
}

/// The length of "[1,3]<stderr>:", "[rank3]: ", "[3] ".
std::size_t bracket_length(std::string_view line) {
  constexpr std::size_t kLongest = 80;
  if (!line.starts_with('[')) return 0;
  std::size_t end = 1;
  while (end < line.size() && end < kLongest && may_be_in_brackets(line[end])) ++end;
  if (end == 1 || line.substr(end, 1) != "]") return 0;
  ++end;
  for (const std::string_view stream : {"<stderr>", "<stdout>"}) {
    if (line.substr(end).starts_with(stream)) end += stream.size();
  }
  if (line.substr(end, 1) == ":") ++end;
  return line.substr(end, 1) == " " ? end + 1 : end;
}

/// True for `ExecutionException` and `a.b.TaskFailedException:`, which carry another error only.
bool has_no_message(std::string_view error) {
  return trim(error).find_first_of(" \t") == std::string_view::npos;
}

}  // namespace

std::string_view launcher_prefix(std::string_view line) {
  std::size_t end = label_length(line);
  if (end == 0) end = bracket_length(line);
  if (end > 0) end += bracket_length(line.substr(end));
  return line.substr(0, end);
}

Block::Block(const Lines& lines, std::size_t first)
    : lines_(&lines), first_(first), line_(first), prefix_(launcher_prefix(lines[first])) {
  text_ = lines[first].substr(prefix_.size());
  look_ahead();
}

void Block::look_ahead() {
  constexpr std::size_t kForeignLines = 16;
  ahead_.reset();
  const std::size_t reach = prefix_.empty() ? 1 : kForeignLines + 1;
  const std::size_t end = std::min(lines_->size(), line_ + 1 + reach);
  for (next_ = line_ + 1; next_ < end && !ahead_; ++next_) {
    ahead_ = prefix_.empty() ? (*lines_)[next_] : without_prefix((*lines_)[next_], prefix_);
  }
}

bool Block::ahead_starts_with(std::string_view start) const {
  return ahead_ && ahead_->starts_with(start);
}

void Block::advance() {
  line_ = next_ - 1;
  text_ = *ahead_;
  look_ahead();
}

Candidate Block::candidate(std::string summary) const {
  Candidate found = candidate_in(first_, line_, std::move(summary));
  found.prefix = prefix_;
  return found;
}

Candidate candidate_in(std::size_t first, std::size_t last, std::string summary) {
  Candidate found;
  found.first = first;
  found.last = last;
  found.error.communication = speaks_of_communication(summary);
  found.error.summary = std::move(summary);
  return found;
}

bool is_mpi_rule(std::string_view line) {
  constexpr std::size_t kRule = 74;  // Open MPI's; Hydra's are longer
  line = trim(line);
  return line.size() >= kRule &&
         (line.find_first_not_of('-') == line.npos || line.find_first_not_of('=') == line.npos);
}

std::string one_line(std::string_view text) {
  return std::string(utf8::truncate(trim(text), kLongestSummary));
}

std::string announced(const Block& block, std::string_view text) {
  std::string line = one_line(text);
  if (!line.ends_with(':') || !block.ahead()) return line;
  const std::string next = one_line(*block.ahead());
  return next.empty() ? line : line + " " + next;
}

std::string with_cause(std::string_view error, std::string_view cause) {
  constexpr std::size_t kCompared = 128;  // searching for more would not be linear any more
  if (cause.empty()) return std::string(error);
  const std::size_t repeated = error.substr(0, 4 * kCompared).find(cause.substr(0, kCompared));
  if (has_no_message(error.substr(0, repeated))) return std::string(cause);
  if (repeated != std::string_view::npos) return std::string(error);
  return std::string(error) + ", caused by " + std::string(cause);
}

}  // namespace trainit::diagnose
