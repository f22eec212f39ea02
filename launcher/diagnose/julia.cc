#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/blocks.h"
#include "diagnose/python_lines.h"
#include "diagnose/recognise.h"

// What Julia prints about an exception that nobody caught: the last one raised on top, those that
// were being handled then below it, and those of tasks further in.
namespace trainit::diagnose {
namespace {

constexpr std::string_view kError = "ERROR: ";
constexpr std::string_view kTaskError = "Unhandled Task ERROR: ";
constexpr std::string_view kExpression = "in expression starting at ";

/// "/opt/ml/code/train.jl:2" of the end of a line; empty when it names no place.
std::string_view place_of(std::string_view line) {
  constexpr std::string_view kInlined = " [inlined]";
  line = trim(utf8::truncate(line, kLongestSummary));
  if (line.ends_with(kInlined)) line.remove_suffix(kInlined.size());
  const std::string_view place = line.substr(line.rfind(' ') + 1);  // npos + 1 is 0
  const std::size_t colon = place.rfind(':');
  const bool numbered =
      colon != std::string_view::npos && parse_number<int>(place.substr(colon + 1)).has_value();
  return numbered ? place : std::string_view();
}

/// The place of a stack frame: on a line of its own behind an '@', or until 1.5 behind "at".
std::string_view frame_place(std::string_view line) {
  line = trim(utf8::truncate(line, kLongestSummary));
  const bool new_form = line.starts_with("@ ");
  const bool old_form = line.starts_with('[') && line.find(" at ") != std::string_view::npos;
  return new_form || old_form ? place_of(line) : std::string_view();
}

/// Not in Julia's own library, whose paths begin with a dot, and not in a package.
bool of_user(std::string_view place) {
  constexpr std::string_view kForeign[] = {"/share/julia/", "/.julia/", "/packages/"};
  return !place.empty() && !place.starts_with("./") &&
         std::none_of(std::begin(kForeign), std::end(kForeign), [&](std::string_view part) {
           return place.find(part) != std::string_view::npos;
         });
}

/// One exception of those that are printed together.
struct Shown {
  std::string text;
  std::string_view user_place, any_place;
  bool in_stack = false;  ///< what stands before the stack may name places too: of similar methods

  void add(std::string_view place) {
    if (place.empty() || !in_stack) return;
    if (any_place.empty()) any_place = place;
    if (user_place.empty() && of_user(place)) user_place = place;
  }
};

struct Report {
  Shown first, root;  ///< the one on top, and the last one below it, which all began with
  std::string_view expression;
  bool has_stack = false;
};

/// The exception that a line below the first one introduces: `caused by: X`, `nested task error:
/// X`.
std::string_view further_exception(std::string_view line) {
  for (const std::string_view start : {"caused by: ", "nested task error: "}) {
    if (line.starts_with(start)) return line.substr(start.size());
  }
  return {};
}

/// `LoadError` only says that it happened while a file was read, which is always so.
std::string without_wrappers(std::string_view text) {
  constexpr std::string_view kLoad = "LoadError: ";
  while (text.starts_with(kLoad)) text.remove_prefix(kLoad.size());
  return one_line(text);
}

/// ` [1] error(s::String)`
bool is_frame(std::string_view line) {
  return line.size() > 2 && line[0] == '[' && line[1] >= '0' && line[1] <= '9';
}

/// True for the lines that can only be part of a report that has begun.
bool is_of_report(std::string_view line) {
  return line.empty() || line == "Stacktrace:" || is_frame(line) || line.starts_with("@ ") ||
         line.starts_with(kExpression) || line.starts_with("⋮") || line.starts_with("... ");
}

/// Whether the next line belongs to the report; a blank one does when the one after it may.
bool goes_on(const Block& block, std::size_t in_message) {
  constexpr std::size_t kMessageLines = 24;
  if (!block.ahead() || block.ahead_starts_with(kError) || block.ahead_starts_with(kTaskError))
    return false;
  const std::string_view line = trim(utf8::truncate(*block.ahead(), kLongestSummary));
  return is_of_report(line) || !further_exception(line).empty() || in_message < kMessageLines;
}

Report read_report(Block& block, std::string_view first) {
  Report report{{without_wrappers(announced(block, first)), {}, {}}, {}, {}};
  Shown* shown = &report.first;
  std::size_t in_message = 0;
  while (goes_on(block, report.has_stack ? std::string_view::npos : in_message)) {
    block.advance();
    const std::string_view line = trim(utf8::truncate(block.text(), kLongestSummary));
    const std::string_view further = further_exception(line);
    if (!further.empty()) {
      report.root = {without_wrappers(further), {}, {}};
      shown = &report.root;
    } else if (line == "Stacktrace:") {
      report.has_stack = shown->in_stack = true;
    } else if (line.starts_with(kExpression)) {
      if (report.expression.empty()) report.expression = line.substr(kExpression.size());
    } else {
      shown->add(frame_place(line));
    }
    ++in_message;
  }
  return report;
}

std::string_view place_in(const Report& report) {
  for (const std::string_view place :
       {report.root.user_place, report.first.user_place, place_of(report.expression),
        report.root.any_place, report.first.any_place}) {
    if (!place.empty()) return place;
  }
  return {};
}

void add_place(Candidate& found, std::string_view place) {
  found.error.location = place.substr(place.rfind('/') + 1);  // npos + 1 is 0
  found.error.frame = place;
}

/// `error("boom")` prints nothing but its message.
std::string with_type(const std::string& text) {
  const std::string_view type = std::string_view(text).substr(0, text.find_first_of(":({ "));
  const bool named = is_known_exception_type(type) || type.ends_with("Mismatch");
  return named ? text : std::string(kError) + text;
}

/// `[42] signal 11 (1): Segmentation fault`, which ends Julia; a stop signal looks the same.
bool is_signal(std::string_view text) {
  constexpr std::string_view kSignal = "signal ";
  constexpr std::string_view kNames[] = {"Segmentation fault",
                                         "Bus error",
                                         "Aborted",
                                         "Illegal instruction",
                                         "Floating point exception",
                                         "Trace/breakpoint trap",
                                         "Terminated",
                                         "Quit"};
  if (!text.starts_with(kSignal)) return false;
  const std::size_t name = text.find(": ");
  return name < 20 &&
         std::any_of(std::begin(kNames), std::end(kNames), [&](std::string_view known) {
           return text.substr(name + 2).starts_with(known);
         });
}

/// The lines below it have no number in front.
Attempt signal_report(const Lines& lines, const Block& block) {
  std::string summary = one_line(block.text());
  const bool stop = summary.ends_with("Terminated") || summary.ends_with("Quit");
  Candidate found = block.candidate(std::move(summary));
  const std::string_view next = lines[block.line() + 1];
  if (next.starts_with(kExpression)) {
    ++found.last;
    add_place(found, place_of(next));
  }
  found.error.weight = stop ? Weight::kBystander : Weight::kFatal;
  return {found.last + 1, std::move(found)};
}

}  // namespace

Attempt julia_error(const Lines& lines, std::size_t at) {
  Block block(lines, at);
  const std::string_view text = block.text();
  if (is_signal(utf8::truncate(text, kLongestSummary))) return signal_report(lines, block);
  const bool task = text.starts_with(kTaskError);
  if (!task && !text.starts_with(kError)) return {at, std::nullopt};
  const std::string_view first = text.substr(task ? kTaskError.size() : kError.size());
  const Report report = read_report(block, first);
  // Many programs begin their messages like this.
  if (!report.has_stack && !first.starts_with("LoadError: ")) return {at, std::nullopt};
  Candidate found = block.candidate(with_type(with_cause(report.first.text, report.root.text)));
  found.error.weight = task ? Weight::kBystander : Weight::kFatal;
  found.exception = true;
  add_place(found, place_in(report));
  return {block.line() + 1, std::move(found)};
}

}  // namespace trainit::diagnose
