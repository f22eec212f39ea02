#include <algorithm>
#include <vector>

#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/blocks.h"
#include "diagnose/recognise.h"

// What programs for the Java virtual machine print when they end, and what it prints itself.
namespace trainit::diagnose {
namespace {

constexpr std::string_view kThread = "Exception in thread \"";
constexpr std::string_view kCausedBy = "Caused by: ";
// Of an exception's message, which has no mark at its end.
constexpr std::size_t kMessageLines = 8;

struct JavaFrame {
  std::string_view text;      ///< `at Train.load(Train.java:5)`
  std::string_view location;  ///< `Train.java:5`; empty for native methods
  bool of_user = false;
};

/// One exception of a chain, which is printed with the last one raised on top.
struct Thrown {
  std::string text;  ///< its type and message
  std::optional<JavaFrame> user_frame, any_frame;
};

bool is_library(std::string_view method) {
  constexpr std::string_view kPackages[] = {"java.",
                                            "javax.",
                                            "jdk.",
                                            "sun.",
                                            "com.sun.",
                                            "scala.",
                                            "kotlin.",
                                            "kotlinx.",
                                            "akka.",
                                            "clojure.",
                                            "groovy.",
                                            "py4j.",
                                            "org.apache.",
                                            "io.netty.",
                                            "ai.djl.",
                                            "org.springframework.",
                                            "com.google.common.",
                                            "com.fasterxml."};
  return std::any_of(std::begin(kPackages), std::end(kPackages),
                     [&](std::string_view package) { return method.starts_with(package); });
}

/// `	at java.base/java.io.FileInputStream.open0(Native Method)`
std::optional<JavaFrame> java_frame(std::string_view line) {
  constexpr std::string_view kAt = "\tat ";
  if (!line.starts_with(kAt)) return std::nullopt;
  line = utf8::truncate(line, kLongestSummary);
  const std::size_t open = line.find('(');
  const std::size_t close = line.find(')', std::min(open, line.size()));
  if (close == std::string_view::npos) return std::nullopt;
  std::string_view method = line.substr(kAt.size(), open - kAt.size());
  method.remove_prefix(method.rfind('/') + 1);  // the module; npos + 1 is 0
  JavaFrame frame{trim(line), line.substr(open + 1, close - open - 1), !is_library(method)};
  if (frame.location.find(':') == std::string_view::npos) frame.location = {};
  return frame;
}

void add_frame(Thrown& thrown, const JavaFrame& frame) {
  if (!thrown.any_frame) thrown.any_frame = frame;
  if (!thrown.user_frame && frame.of_user) thrown.user_frame = frame;
}

/// Frames of suppressed exceptions stand further in; "... 3 more" is the rest of a cause's stack.
bool is_of_stack(std::string_view line) {
  return line.starts_with("\t\t") || line.starts_with("\t... ") ||
         line.starts_with("\t[CIRCULAR") || line.starts_with("\tSuppressed: ") ||
         line.starts_with("\tCaused by: ");
}

/// Reads the stack of the exception `first`, and those of its causes. Of more than two the
/// outermost and the root are kept.
std::vector<Thrown> read_chain(Block& block, std::string_view first) {
  std::vector<Thrown> chain{{announced(block, first), {}, {}}};
  std::size_t message = 0;
  while (block.ahead()) {
    const std::string_view line = *block.ahead();
    const auto frame = java_frame(line);
    const bool cause = line.starts_with(kCausedBy);
    const bool in_message =
        !chain.back().any_frame && message < kMessageLines && !is_mpi_rule(line);
    if (!frame && !cause && !is_of_stack(line) && !in_message) break;
    block.advance();
    ++message;
    if (frame) add_frame(chain.back(), *frame);
    if (!cause) continue;
    Thrown next{announced(block, line.substr(kCausedBy.size())), {}, {}};
    const bool only_wraps = with_cause(chain.front().text, next.text) == next.text;
    if (chain.size() > 1 || only_wraps) chain.pop_back();
    chain.push_back(std::move(next));
    message = 0;
  }
  return chain;
}

void add_place(Candidate& found, const std::vector<Thrown>& chain) {
  const auto has_frame = [](const Thrown& thrown) { return thrown.user_frame.has_value(); };
  const auto from_root = std::find_if(chain.rbegin(), chain.rend(), has_frame);
  const auto& frame = from_root != chain.rend() ? from_root->user_frame : chain.back().any_frame;
  if (!frame) return;
  found.error.location = frame->location;
  found.error.frame = frame->text;
}

Attempt read_exception(Block& block, std::string_view first, Weight weight) {
  const std::vector<Thrown> chain = read_chain(block, first);
  Candidate found = block.candidate(
      chain.size() == 1 ? chain[0].text : with_cause(chain[0].text, chain.back().text));
  found.error.weight = weight;
  found.exception = true;
  add_place(found, chain);
  return {block.line() + 1, std::move(found)};
}

/// `java.lang.IllegalStateException: no training data`; a name without a package is none, because
/// any word before a colon would be one.
bool is_throwable(std::string_view line) {
  std::size_t end = 0, dots = 0;
  constexpr std::size_t kLongest = 300;
  for (; end < line.size() && end < kLongest; ++end) {
    const char c = line[end];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c == '.') ++dots;
    if (!letter && c != '.' && !(end > 0 && (c == '_' || c == '$' || (c >= '0' && c <= '9'))))
      break;
  }
  return dots > 0 && (end == line.size() || line.substr(end, 2) == ": ");
}

/// The sentences with which the `java` command and the virtual machine refuse to start or go on.
constexpr std::string_view kLauncherErrors[] = {
    "Error: Could not find or load main class ",
    "Error: Main method ",
    "Error: LinkageError occurred while loading main class ",
    "Error: Unable to initialize main class ",
    "Error: Unable to access jarfile ",
    "Error: A JNI error has occurred",
    "Error occurred during initialization of VM",
    "Error occurred during initialization of boot layer",
    "Terminating due to java.lang.OutOfMemoryError",
};

Attempt launcher_error(Block& block) {
  constexpr std::string_view kError = "Error: ";
  std::string summary = one_line(block.text());
  if (summary.starts_with(kError)) summary.erase(0, kError.size());
  if (block.ahead_starts_with(kCausedBy)) {
    block.advance();
    summary = with_cause(summary, one_line(block.text().substr(kCausedBy.size())));
  } else if (block.ahead_starts_with("\t") || summary.starts_with("Error occurred")) {
    if (block.ahead()) block.advance();
    summary += ": " + one_line(block.text());
  }
  return {block.line() + 1, block.candidate(std::move(summary))};
}

/// The text of a line of the virtual machine's own report, which begins with '#'.
std::string_view report_text(std::string_view line) { return trim(line.substr(1)); }

Attempt crash_report(Block& block) {
  constexpr std::size_t kReportLines = 60;
  std::string what, frame;
  const bool memory = block.text().find("insufficient memory") != std::string_view::npos;
  std::string summary = memory ? one_line(report_text(block.text())) : "the Java virtual machine";
  for (std::size_t count = 0; count < kReportLines && block.ahead_starts_with("#"); ++count) {
    block.advance();
    const std::string_view text = report_text(block.text());
    if (what.empty()) what = one_line(text);
    if (text == "Problematic frame:" && block.ahead_starts_with("# "))
      frame = one_line(report_text(*block.ahead()));
  }
  for (const std::string_view tail : {", pid=", " at pc="}) {
    if (const std::size_t start = what.find(tail); start != what.npos) what.resize(start);
  }
  if (!what.empty()) summary += (memory ? " " : " crashed: ") + what;
  if (!frame.empty()) summary += " in " + frame;
  return {block.line() + 1, block.candidate(std::move(summary))};
}

}  // namespace

Attempt java_exception(const Lines& lines, std::size_t at) {
  Block block(lines, at);
  const std::string_view text = utf8::truncate(block.text(), kLongestSummary);
  if (const std::size_t start = text.find(kThread); start != std::string_view::npos) {
    const std::size_t name = start + kThread.size(), end = text.find("\" ", name);
    if (end == std::string_view::npos) return {at, std::nullopt};
    const bool main = text.substr(name, end - name) == "main";
    return read_exception(block, text.substr(end + 2), main ? Weight::kFatal : Weight::kBystander);
  }
  // Somebody printed it, and may have gone on.
  if (block.ahead() && java_frame(*block.ahead()) && is_throwable(text))
    return read_exception(block, text, Weight::kBystander);
  return {at, std::nullopt};
}

Attempt java_machine_error(const Lines& lines, std::size_t at) {
  Block block(lines, at);
  const std::string_view text = block.text();
  if (text.starts_with("# A fatal error has been detected by the Java Runtime Environment") ||
      text.starts_with("# There is insufficient memory for the Java Runtime Environment"))
    return crash_report(block);
  const bool known = std::any_of(std::begin(kLauncherErrors), std::end(kLauncherErrors),
                                 [&](std::string_view start) { return text.starts_with(start); });
  return known ? launcher_error(block) : Attempt{at, std::nullopt};
}

}  // namespace trainit::diagnose
