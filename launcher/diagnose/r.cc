#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/blocks.h"
#include "diagnose/recognise.h"

// What scripts in R print when they end.
namespace trainit::diagnose {
namespace {

/// `Error in f(x) : message`, with the message on the next line where the call is long; the package
/// rlang puts a mark before it.
std::string message_of(const Block& block) {
  std::string message = announced(block, block.text());
  if (const std::size_t mark = message.find(": ! "); mark != std::string::npos)
    message.erase(mark + 1, 2);
  return message;
}

bool begins_error(std::string_view line) {
  return line.starts_with("Error in ") || line.starts_with("Error: ") ||
         trim(utf8::truncate(line, kLongestSummary)) == "Error:";
}

/// What stands between a script's last error and its end.
struct Ending {
  std::string calls;  ///< "Calls: main -> step"
  std::string cause;  ///< of the package rlang's errors, which are chained
};

/// Goes to `Execution halted`, which ends every script that fails; nothing when it is not in sight
/// or another error stands before it, and so this one was caught, or is none of R.
std::optional<Ending> read_to_end(Block& block) {
  constexpr std::size_t kMostLines = 40;
  constexpr std::string_view kMark = "! ";
  Ending ending;
  for (std::size_t count = 0; count < kMostLines && block.ahead(); ++count) {
    if (begins_error(*block.ahead())) break;
    block.advance();
    const std::string_view line = block.text();
    if (trim(line) == "Execution halted") return ending;
    if (line.starts_with("Calls: ")) ending.calls = one_line(line);
    if (line.starts_with("Caused by error") && block.ahead_starts_with(kMark))
      ending.cause = one_line(block.ahead()->substr(kMark.size()));
  }
  return std::nullopt;
}

/// ` *** caught segfault ***`, its address and the calls.
Attempt crash(Block& block) {
  constexpr std::size_t kMostLines = 110;
  const std::string kind(trim(block.text()).substr(std::string_view("*** ").size()));
  std::string summary = kind.substr(0, kind.rfind(" ***")), frame;
  if (block.ahead_starts_with("address ")) {
    block.advance();
    summary += ": " + one_line(block.text());
  }
  const bool calls = block.ahead() && trim(*block.ahead()).empty();
  for (std::size_t count = 0; calls && count < kMostLines && block.ahead(); ++count) {
    const std::string_view line = trim(*block.ahead());
    if (count > 0 && (line.empty() || line.starts_with("An irrecoverable exception"))) break;
    block.advance();
    if (line.starts_with("1: ")) frame = one_line(line.substr(3));
  }
  Candidate found = block.candidate(std::move(summary));
  found.error.frame = std::move(frame);
  return {block.line() + 1, std::move(found)};
}

}  // namespace

Attempt r_error(const Lines& lines, std::size_t at) {
  Block block(lines, at);
  const std::string_view text = block.text();
  if (text.starts_with(" *** caught ") && trim(text).ends_with(" ***")) return crash(block);
  if (!begins_error(text)) return {at, std::nullopt};
  const std::string summary = message_of(block);
  std::optional<Ending> ending = read_to_end(block);
  if (!ending) return {at, std::nullopt};
  Candidate found = block.candidate(with_cause(summary, ending->cause));
  found.exception = true;
  found.error.frame = std::move(ending->calls);
  return {block.line() + 1, std::move(found)};
}

}  // namespace trainit::diagnose
