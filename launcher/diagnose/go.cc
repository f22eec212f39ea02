#include <algorithm>
#include <vector>

#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/blocks.h"
#include "diagnose/recognise.h"

// Panics and fatal errors of Go programs.
namespace trainit::diagnose {
namespace {

constexpr std::string_view kPanic = "panic: ";

struct GoFrame {
  std::string_view function, place;  ///< "main.load()", "/opt/ml/code/main.go:5"

  bool empty() const { return place.empty(); }
};

bool is_goroutine(std::string_view line) {
  return line.starts_with("goroutine ") && trim(line).ends_with("]:");
}

/// `	/opt/ml/code/main.go:5 +0x1d`, below the line with the function.
GoFrame go_frame(std::string_view function, std::string_view line) {
  constexpr std::string_view kGo = ".go:";
  line = utf8::truncate(line, kLongestSummary);
  if (!line.starts_with('\t')) return {};
  const std::size_t end = line.rfind(kGo);
  if (end == std::string_view::npos) return {};
  const std::size_t number_end =
      std::min(line.find_first_not_of("0123456789", end + kGo.size()), line.size());
  return {trim(function), line.substr(1, number_end - 1)};
}

/// Not in Go's own library and not in a module that was fetched. The paths of a program built with
/// -trimpath are relative; there the library's have no dot before their first slash.
bool of_user(const GoFrame& frame) {
  constexpr std::string_view kForeign[] = {"/go/src/runtime/", "/usr/local/go/src/", "/usr/lib/go",
                                           "/pkg/mod/", "/vendor/"};
  if (frame.function.starts_with("runtime.") || frame.function.starts_with("panic(")) return false;
  const std::string_view path = frame.place;
  if (std::any_of(std::begin(kForeign), std::end(kForeign),
                  [&](std::string_view part) { return path.find(part) != std::string_view::npos; }))
    return false;
  if (path.starts_with('/') || frame.function.starts_with("main.")) return true;
  return path.substr(0, path.find('/')).find('.') != std::string_view::npos &&
         path.find('@') == std::string_view::npos;
}

/// A function, or below it its place.
bool is_of_stack(std::string_view line) {
  line = utf8::truncate(line, kLongestSummary);
  return line.starts_with('\t') || trim(line).ends_with(')') || line.starts_with("created by ") ||
         line.starts_with("...additional frames elided");
}

/// The deepest frame of the user's own code in the goroutine that the block stands before, up to
/// its end.
GoFrame read_goroutine(Block& block) {
  GoFrame deepest;
  std::string_view function;
  while (block.ahead() && is_of_stack(*block.ahead())) {
    block.advance();
    const GoFrame frame = go_frame(function, block.text());
    const bool better = deepest.empty() || (of_user(frame) && !of_user(deepest));
    if (!frame.empty() && better) deepest = frame;
    function = block.text();
  }
  return deepest;
}

/// The last line of the other goroutines' stacks, which say nothing of the error.
std::size_t end_of_dump(Block& block) {
  std::size_t last = block.line();
  while (block.ahead()) {
    block.advance();
    const std::string_view line = block.text();
    if (trim(line).empty()) continue;
    if (!is_goroutine(line) && !is_of_stack(line)) break;
    last = block.line();
  }
  return last;
}

struct Panic {
  std::string text;
  bool recovered = false;
};

void add_panic(std::vector<Panic>& panics, const Block& block) {
  const std::string_view line = trim(block.text());
  if (!line.starts_with(kPanic)) return;
  Panic panic{announced(block, line.substr(kPanic.size()))};
  if (const std::size_t mark = panic.text.rfind(" [recovered"); mark != std::string::npos) {
    panic.text.resize(mark);
    panic.recovered = true;
  }
  panics.push_back(std::move(panic));
}

/// A panic within a panic stands below it, further in. It is the last word where the first had been
/// recovered, else a mishap on the way out.
std::string explaining(const std::vector<Panic>& panics) {
  std::size_t index = 0;
  while (index + 1 < panics.size() && panics[index].recovered) ++index;
  const std::string text = std::string(kPanic) + panics[index].text;
  return index == 0 ? text : with_cause(text, panics[0].text);
}

bool begins_error(std::string_view line) {
  return line.starts_with(kPanic) || line.starts_with("fatal error: ");
}

bool is_headline(const Block& block) {
  return begins_error(block.text()) ||
         (block.text().starts_with("SIG") && block.ahead_starts_with("PC=0x"));
}

bool begins_stack(std::string_view line) {
  return is_goroutine(line) || line.starts_with("runtime stack:") ||
         line.starts_with("[signal SIG") || line.starts_with("PC=0x");
}

/// Goes to the line before the first stack, and says what was raised; nothing when no stack is in
/// sight, and so the line was somebody else's.
std::optional<std::string> read_message(Block& block) {
  constexpr std::size_t kMessageLines = 24;
  const std::string headline = one_line(block.text());
  std::vector<Panic> panics;
  add_panic(panics, block);
  for (std::size_t count = 0; count < kMessageLines && block.ahead(); ++count) {
    if (begins_stack(*block.ahead())) return panics.empty() ? headline : explaining(panics);
    if (begins_error(*block.ahead())) break;
    block.advance();
    add_panic(panics, block);
  }
  return std::nullopt;
}

}  // namespace

Attempt go_panic(const Lines& lines, std::size_t at) {
  constexpr std::size_t kBeforeGoroutine = 200;  // the runtime's own stack
  Block block(lines, at);
  if (!is_headline(block)) return {at, std::nullopt};
  std::optional<std::string> summary = read_message(block);
  if (!summary) return {at, std::nullopt};
  for (std::size_t count = 0; count < kBeforeGoroutine && block.ahead(); ++count) {
    if (is_goroutine(block.text())) break;
    block.advance();
  }
  GoFrame frame;
  if (is_goroutine(block.text())) frame = read_goroutine(block);
  Candidate found = block.candidate(std::move(*summary));
  found.exception = true;
  if (!frame.empty()) {
    found.error.location = frame.place.substr(frame.place.rfind('/') + 1);  // npos + 1 is 0
    found.error.frame = frame.place;
  }
  found.dump_end = end_of_dump(block);
  return {found.dump_end + 1, std::move(found)};
}

}  // namespace trainit::diagnose
