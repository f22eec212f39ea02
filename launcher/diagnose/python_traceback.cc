#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/blocks.h"
#include "diagnose/python_lines.h"
#include "diagnose/recognise.h"

namespace trainit::diagnose {
namespace {

// Another thread's lines may stand within a traceback; more of them than this are the end of it.
constexpr std::size_t kForeignLines = 16;
// Of code under one frame; Python prints a handful.
constexpr std::size_t kCodeLines = 64;
// Of an exception's message, which has no mark at its end.
constexpr std::size_t kMessageLines = 8;
// Between an exception and the sentence that chains the next one to it stands its message.
constexpr std::size_t kLongestMessage = 200;

enum class Link { kNone, kCause, kContext, kOriginal };

/// One exception of a chain, in the order in which they were printed.
struct Raised {
  std::string summary;
  std::string_view type;
  std::optional<Frame> user_frame, any_frame;
  std::string_view prefix;
  std::size_t first = 0, last = 0;  ///< lines
  bool communication = false;
  Link to_previous = Link::kNone;

  const std::optional<Frame>& frame() const { return user_frame ? user_frame : any_frame; }
};

struct Block {
  std::size_t next;
  std::optional<Raised> raised;
};

bool is_decoration(std::string_view line) {
  return line.find_first_not_of("=-*~_#\"'| \t") == std::string_view::npos;
}

/// A message that ends in a colon, or is empty, goes on in its next line; so does that of Py4J,
/// where the exception of Java stands.
std::string summary_of(const Lines& lines, const Raised& raised, std::size_t line,
                       std::string_view text) {
  std::string summary(utf8::truncate(trim(text), kLongestSummary));
  const auto next = without_prefix(lines[line + 1], raised.prefix);
  const bool of_java = next && next->starts_with(": ") && raised.type.ends_with("Py4JJavaError");
  if (of_java) return summary + std::string(utf8::truncate(trim(*next), kLongestSummary));
  if (!summary.ends_with(':')) return summary;
  for (std::size_t i = line + 1; i <= raised.last + 2; ++i) {
    const auto rest = without_prefix(lines[i], raised.prefix);
    if (!rest || is_traceback_header(*rest) || parse_frame(*rest)) break;
    if (is_decoration(*rest)) continue;
    return summary += " " + std::string(utf8::truncate(trim(*rest), kLongestSummary));
  }
  return summary;
}

/// A line that some other part of the process prints at the end, and so is none of a message.
bool begins_another_message(std::string_view line) {
  constexpr std::string_view kStarts[] = {"terminate called ",
                                          "libc++abi: ",
                                          "Exception ignored in",
                                          "Exception in thread ",
                                          "Fatal Python error: ",
                                          "*** ",
                                          "panic: ",
                                          "fatal error: ",
                                          "thread '",
                                          "Error in ",
                                          "Task exception was never retrieved"};
  return is_mpi_rule(line) ||
         std::any_of(std::begin(kStarts), std::end(kStarts),
                     [&](std::string_view start) { return line.starts_with(start); });
}

/// The last line of the message that begins at `line`.
std::size_t message_end(const Lines& lines, std::string_view prefix, std::size_t line) {
  std::size_t last = line;
  while (last - line < kMessageLines && last + 1 < lines.size()) {
    const auto rest = without_prefix(lines[last + 1], prefix);
    if (!rest || trim(*rest).empty() || begins_another_message(*rest)) break;
    if (is_traceback_header(*rest) || parse_frame(*rest)) break;
    ++last;
  }
  return last;
}

/// Looks past the summary only where it is known that the reason stands there: what follows a
/// message may as well be a thread's complaint that the connection is gone by now.
bool tells_of_communication(const Lines& lines, const Raised& raised, std::size_t line) {
  if (speaks_of_communication(raised.summary)) return true;
  if (raised.summary.find("NCCL") == std::string::npos) return false;
  for (std::size_t i = line + 1; i <= raised.last; ++i) {
    if (speaks_of_communication(utf8::truncate(lines[i], kLongestSummary))) return true;
  }
  return false;
}

void finish(const Lines& lines, Raised& raised, std::size_t line, std::string_view text) {
  raised.type = exception_type(text);
  raised.last = message_end(lines, raised.prefix, line);
  raised.summary = summary_of(lines, raised, line, text);
  raised.communication = tells_of_communication(lines, raised, line);
}

bool ends_traceback(const Lines& lines, std::size_t line, std::string_view text,
                    const Raised& raised, bool headline) {
  const std::string_view type = exception_type(text);
  if (type.empty() || !(headline || is_known_exception_type(type))) return false;
  const auto next = without_prefix(lines[line + 1], raised.prefix);
  return !(next && parse_frame(*next));  // else this line is another thread's, and the frames go on
}

/// Reads one traceback, from its headline or its first frame to the message of its exception.
Block read_block(const Lines& lines, std::size_t at) {
  const bool headline = is_traceback_header(lines[at]);
  Raised raised;
  raised.prefix = headline ? prefix_of_traceback(lines, at)
                           : lines[at].substr(0, lines[at].find_first_not_of(' ') - 2);
  raised.first = at;
  std::size_t next = at + 1, foreign = 0, code = 0;
  for (std::size_t i = at + (headline ? 1 : 0); i < lines.size(); ++i) {
    if (foreign > kForeignLines || code > kCodeLines) break;
    const auto text = without_prefix(lines[i], raised.prefix);
    if (text && is_traceback_header(*text)) break;
    if (const auto frame = text ? parse_frame(*text) : std::nullopt) {
      raised.any_frame = frame;
      if (frame->of_user()) raised.user_frame = frame;
      next = i + 1;
      foreign = code = 0;
    } else if (text && text->starts_with("  ")) {
      ++code;
    } else if (text && ends_traceback(lines, i, *text, raised, headline)) {
      finish(lines, raised, i, *text);
      const std::size_t end = raised.last + 1;
      return {end, std::move(raised)};
    } else {
      ++foreign;
    }
  }
  return {next, std::nullopt};
}

struct Following {
  Link link = Link::kNone;
  std::size_t at = 0;  ///< of the next headline
};

/// Whether the next traceback belongs to the same chain as `raised`.
Following find_link(const Lines& lines, const Raised& raised) {
  Link link = Link::kNone;
  std::string_view last_text;
  const std::size_t end = std::min(lines.size(), raised.last + kLongestMessage);
  for (std::size_t i = raised.last + 1; i < end; ++i) {
    const auto text = without_prefix(lines[i], raised.prefix);
    if (!text || trim(*text).empty()) continue;
    if (is_traceback_header(*text)) {
      const bool original = trim(*text).starts_with("Original ") ||
                            last_text.starts_with("\"\"\"") || last_text.starts_with("-- Process ");
      return {original ? Link::kOriginal : link, i};
    }
    if (parse_frame(*text)) break;
    link = Link::kNone;
    if (text->starts_with("The above exception was the direct cause")) link = Link::kCause;
    if (text->starts_with("During handling of the above exception")) link = Link::kContext;
    last_text = *text;
  }
  return {};
}

struct Chain {
  std::vector<Raised> raised;
  std::size_t next;
};

Chain read_chain(const Lines& lines, std::size_t at) {
  Chain chain{{}, at};
  Link link = Link::kNone;
  while (true) {
    Block block = read_block(lines, chain.next);
    chain.next = block.next;
    if (!block.raised) return chain;
    block.raised->to_previous = link;
    chain.raised.push_back(std::move(*block.raised));
    const Following following = find_link(lines, chain.raised.back());
    if (following.link == Link::kNone) return chain;
    link = following.link;
    chain.next = following.at;
  }
}

/// Exceptions that code catches in the ordinary course of things.
bool is_everyday(std::string_view type) {
  constexpr std::string_view kTypes[] = {
      "KeyError",     "IndexError",  "AttributeError",      "StopIteration",    "ImportError",
      "_queue.Empty", "queue.Empty", "ModuleNotFoundError", "FileNotFoundError"};
  return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

/// PyTorch's data loader says which signal ended a worker only in the exception before.
bool only_counts_dead(std::string_view summary) {
  return summary.find("DataLoader worker") != std::string_view::npos &&
         summary.ends_with("exited unexpectedly");
}

/// The last exception, but for three cases. A connection that breaks while the program cleans up
/// after another exception is not what ended it; a process that is gone had its reason; and an
/// exception that a process handed to another, which raised it again, stands in both, where only
/// the first knows its place.
const Raised& explaining(const std::vector<Raised>& chain) {
  const std::size_t last = chain.size() - 1;
  for (std::size_t i = last; chain[last].communication && i > 0; --i) {
    if (chain[i].to_previous != Link::kContext) break;
    if (!chain[i - 1].communication && !is_everyday(chain[i - 1].type)) return chain[i - 1];
  }
  if (last > 0 && chain[last].to_previous == Link::kCause && only_counts_dead(chain[last].summary))
    return chain[last - 1];
  const bool again = last > 0 && chain[last].summary == chain[last - 1].summary;
  return chain[again && chain[last - 1].user_frame ? last - 1 : last];
}

/// Types that only report what a child has printed already, or that somebody pressed Ctrl-C.
bool only_reports(std::string_view type) {
  constexpr std::string_view kTypes[] = {"CalledProcessError", "ChildFailedError",
                                         "KeyboardInterrupt", "ProcessExitedException",
                                         "BrokenProcessPool"};
  return std::any_of(std::begin(kTypes), std::end(kTypes), [&](std::string_view name) {
    return type == name || (type.ends_with(name) && type[type.size() - name.size() - 1] == '.');
  });
}

/// The line before a traceback says whose it is.
enum class Owner { kMain, kThread, kNobody };
Owner owner_of(const Lines& lines, std::size_t at, std::string_view prefix) {
  if (at == 0) return Owner::kMain;
  const std::string_view before = without_prefix(lines[at - 1], prefix).value_or("");
  if (before.starts_with("Exception ignored in")) return Owner::kNobody;
  const bool process = before.starts_with("Process ") && trim(before).ends_with(':');
  const bool task = before.starts_with("future: <");  // that nobody waited for
  const bool thread = before.starts_with("Exception in thread ");
  return process || task || thread ? Owner::kThread : Owner::kMain;
}

Candidate to_candidate(const Lines& lines, const Chain& chain) {
  const std::vector<Raised>& raised = chain.raised;
  const Raised& chosen = explaining(raised);
  Candidate result;
  result.first = raised.front().first;
  result.last = raised.back().last;
  result.prefix = raised.front().prefix;
  result.exception = true;
  result.error.summary = chosen.summary;
  const bool only_library = !chosen.user_frame && raised.back().user_frame;
  if (const auto& frame = only_library ? raised.back().user_frame : chosen.frame()) {
    result.error.location = frame->location();
    result.error.frame = frame->text;
  }
  const bool any =
      std::any_of(raised.begin(), raised.end(), [](auto& one) { return one.communication; });
  result.error.communication = any && (&chosen == &raised.back() || chosen.communication);
  const bool thread = owner_of(lines, result.first, result.prefix) == Owner::kThread;
  result.error.weight = thread || only_reports(chosen.type) ? Weight::kBystander : Weight::kFatal;
  return result;
}

}  // namespace

Attempt python_traceback(const Lines& lines, std::size_t at) {
  const std::string_view indented =
      lines[at].substr(std::min(lines[at].find_first_not_of(' '), lines[at].size()));
  const std::size_t indent = lines[at].size() - indented.size();
  const bool frame = indent >= 2 && parse_frame(lines[at].substr(indent - 2));
  if (!frame && !is_traceback_header(lines[at])) return {at, std::nullopt};
  const Chain chain = read_chain(lines, at);
  const std::size_t next = std::max(chain.next, at + 1);
  if (chain.raised.empty()) return {next, std::nullopt};
  if (owner_of(lines, at, chain.raised.front().prefix) == Owner::kNobody)
    return {next, std::nullopt};
  return {next, to_candidate(lines, chain)};
}

}  // namespace trainit::diagnose
