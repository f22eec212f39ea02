#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/blocks.h"
#include "diagnose/recognise.h"

// Panics of Rust programs, and what their runtime and their `main` print when they end.
namespace trainit::diagnose {
namespace {

constexpr std::string_view kThread = "thread '";
constexpr std::string_view kPanicked = " panicked at ";
// Of a panic's message, which has no mark at its end.
constexpr std::size_t kMessageLines = 8;

/// "src/main.rs:3" of "src/main.rs:3:9"; empty when it is no place in a source file.
std::string_view place_of(std::string_view text) {
  constexpr std::string_view kRust = ".rs:";
  text = trim(text);
  const std::size_t end = text.rfind(kRust);
  if (end == std::string_view::npos || text.find(' ') != std::string_view::npos) return {};
  const std::size_t number = end + kRust.size();
  return text.substr(0, std::min(text.find_first_not_of("0123456789", number), text.size()));
}

/// Not in Rust's own library and not in a crate that was fetched.
bool of_user(std::string_view place) {
  constexpr std::string_view kForeign[] = {"/rustc/",   "/usr/src/rustc",  "/registry/src/",
                                           "/.rustup/", "/git/checkouts/", "/vendor/",
                                           "/csu/",     "library/std/",    "library/core/"};
  return !place.empty() &&
         std::none_of(std::begin(kForeign), std::end(kForeign), [&](std::string_view part) {
           return place.find(part) != std::string_view::npos;
         });
}

struct Panic {
  std::string message;
  std::string_view place;
};

bool ends_message(std::string_view line) {
  return line.starts_with("note: run with ") || line.starts_with("stack backtrace:") ||
         line.starts_with(kThread) || is_mpi_rule(line);
}

/// The two values that a failed comparison shows below its message.
bool is_compared_value(std::string_view line) {
  line = trim(line);
  return line.starts_with("left: ") || line.starts_with("right: ");
}

/// `thread 'main' panicked at src/main.rs:3:9:`, and the message in the lines below it.
Panic read_new_form(Block& block, std::string_view place) {
  Panic panic{{}, place_of(place)};
  for (std::size_t count = 0; count < kMessageLines; ++count) {
    if (!block.ahead() || trim(*block.ahead()).empty() || ends_message(*block.ahead())) break;
    block.advance();
    const bool announced_before = panic.message.ends_with(':');
    if (count > 0 && !announced_before && !is_compared_value(block.text())) continue;
    panic.message += (count > 0 ? " " : "") + one_line(block.text());
  }
  return panic;
}

/// `thread 'main' panicked at 'learning rate must be positive', src/main.rs:3:9`: the message in
/// quotes, which may hold more of them and lines, until 1.72.
std::optional<Panic> read_old_form(Block& block, std::string_view rest) {
  constexpr std::string_view kEnd = "', ";
  Panic panic;
  for (std::size_t count = 0; count < kMessageLines; ++count) {
    const std::size_t end = rest.rfind(kEnd);
    const bool last = end != std::string_view::npos && !place_of(rest.substr(end + 3)).empty();
    const std::string_view text = last ? rest.substr(0, end) : rest;
    const bool wanted = count == 0 || panic.message.ends_with(':') || is_compared_value(text);
    if (wanted) panic.message += (count > 0 ? " " : "") + one_line(text);
    if (last) {
      panic.place = place_of(rest.substr(end + 3));
      return panic;
    }
    if (!block.ahead() || ends_message(*block.ahead())) break;
    block.advance();
    rest = utf8::truncate(block.text(), kLongestSummary);
  }
  return std::nullopt;
}

/// Goes to the end of the backtrace, and finds the user's place in it where the panic's is none.
void read_backtrace(Block& block, std::string_view& place) {
  constexpr std::string_view kAt = "at ";
  if (!block.ahead_starts_with("stack backtrace:")) return;
  block.advance();
  while (block.ahead_starts_with(" ")) {
    block.advance();
    const std::string_view line = trim(utf8::truncate(block.text(), kLongestSummary));
    if (of_user(place) || !line.starts_with(kAt)) continue;
    const std::string_view here = place_of(line.substr(kAt.size()));
    if (of_user(here)) place = here;
  }
}

std::string_view after_last_slash(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

/// A panic of `main` that only passes on that of a thread that it waited for.
bool passes_on(std::string_view message) {
  return message.ends_with("value: Any { .. }") || message.ends_with("value: Any");
}

Attempt panicked(Block& block, std::string_view name, std::string_view rest) {
  const std::string_view place = trim(rest);
  std::optional<Panic> panic;
  if (place.ends_with(':') && !place_of(place).empty()) panic = read_new_form(block, place);
  if (rest.starts_with('\'')) panic = read_old_form(block, rest.substr(1));
  if (!panic) return {block.first(), std::nullopt};
  if (block.ahead_starts_with("note: run with ")) block.advance();
  read_backtrace(block, panic->place);
  const std::string head = "thread '" + std::string(name) + "' panicked";
  Candidate found = block.candidate(panic->message.empty() ? head : head + ": " + panic->message);
  found.error.location = after_last_slash(panic->place);
  found.error.frame = panic->place;
  const bool main = name == "main" && !passes_on(panic->message);
  found.error.weight = main ? Weight::kFatal : Weight::kBystander;
  return {block.line() + 1, std::move(found)};
}

/// `Error: cannot load the data`, a blank line and `Caused by:`, as programs with the crate anyhow
/// end.
Attempt main_error(Block& block) {
  constexpr std::string_view kError = "Error: ";
  constexpr std::size_t kCauses = 32;
  const std::string error = one_line(block.text().substr(kError.size()));
  if (!block.ahead() || !trim(*block.ahead()).empty()) return {block.first(), std::nullopt};
  block.advance();
  if (!block.ahead_starts_with("Caused by:")) return {block.first(), std::nullopt};
  block.advance();
  std::string cause;
  for (std::size_t count = 0; count < kCauses && block.ahead_starts_with("  "); ++count) {
    block.advance();
    cause = one_line(block.text());
    const std::size_t number = cause.find_first_not_of("0123456789");
    if (number > 0 && cause.substr(number, 2) == ": ") cause.erase(0, number + 2);
  }
  return {block.line() + 1, block.candidate("Error: " + with_cause(error, cause))};
}

bool is_runtime_error(std::string_view line) {
  return (line.starts_with(kThread) && line.ends_with("' has overflowed its stack")) ||
         (line.starts_with(kThread) && line.ends_with(") has overflowed its stack")) ||
         line.starts_with("fatal runtime error: ") ||
         (line.starts_with("memory allocation of ") && line.ends_with(" bytes failed"));
}

}  // namespace

Attempt rust_panic(const Lines& lines, std::size_t at) {
  Block block(lines, at);
  const std::string_view text = utf8::truncate(block.text(), kLongestSummary);
  if (is_runtime_error(trim(text))) {
    std::string summary = one_line(text);
    const std::size_t number = summary.find("' ("), end = summary.find(") has ");
    if (number < end && end != summary.npos) summary.erase(number + 1, end - number);
    if (block.ahead_starts_with("fatal runtime error: ")) block.advance();
    return {block.line() + 1, block.candidate(std::move(summary))};
  }
  if (text.starts_with("Error: ")) return main_error(block);
  if (!text.starts_with(kThread)) return {at, std::nullopt};
  const std::size_t start = text.find(kPanicked);
  if (start == std::string_view::npos) return {at, std::nullopt};
  const std::string_view name = text.substr(kThread.size(), start - kThread.size());
  return panicked(block, name.substr(0, name.rfind('\'')), text.substr(start + kPanicked.size()));
}

}  // namespace trainit::diagnose
