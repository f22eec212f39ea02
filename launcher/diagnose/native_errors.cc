#include <algorithm>
#include <array>

#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/blocks.h"
#include "diagnose/recognise.h"

// What compiled programs print when they abort.
namespace trainit::diagnose {
namespace {

/// The text in the first pair of quotes of `text`.
std::string_view quoted(std::string_view text) {
  const std::size_t open = text.find('\'');
  if (open == std::string_view::npos) return {};
  return text.substr(open + 1, text.find('\'', open + 1) - open - 1);
}

/// libstdc++: the type on the headline, the message, which may have several lines, under `what():`.
Attempt gnu_terminate(const Lines& lines, std::size_t at, std::string_view headline) {
  constexpr std::string_view kWhat = "  what():";
  constexpr std::size_t kMessageLines = 8;
  const std::string type(quoted(headline));
  if (type.empty()) {
    Candidate found = candidate_in(at, at, one_line(headline));
    found.error.weight = Weight::kBystander;  // threads left running when the program ended
    return {at + 1, std::move(found)};
  }
  const std::size_t what = lines[at + 1].find(kWhat);
  if (what == std::string_view::npos) return {at + 1, candidate_in(at, at, "uncaught " + type)};
  std::string message = one_line(lines[at + 1].substr(what + kWhat.size()));
  std::size_t last = at + 1;
  while (last - at < kMessageLines && !trim(lines[last + 1]).empty() &&
         !is_mpi_rule(lines[last + 1]))
    ++last;
  if (message.empty() && last > at + 1) message = one_line(lines[at + 2]);
  return {last + 1,
          candidate_in(at, last, message.empty() ? "uncaught " + type : type + ": " + message)};
}

struct Phrase {
  std::string_view text;
  bool at_start;  ///< of the line
};

constexpr Phrase kAborts[] = {
    {"*** stack smashing detected ***", false},
    {"*** buffer overflow detected ***", false},
    {"*** %n in writable segment detected ***", false},
    {"*** longjmp causes uninitialized stack frame ***", false},
    {"Fatal glibc error:", false},
    {"The futex facility returned an unexpected error code", false},
    {"free(): ", true},
    {"malloc(): ", true},
    {"realloc(): ", true},
    {"calloc(): ", true},
    {"malloc_consolidate(): ", true},
    {"munmap_chunk(): ", true},
    {"mremap_chunk(): ", true},
    {"double free or corruption", true},
    {"corrupted size vs. prev", true},
    {"corrupted double-linked list", true},
};

bool is_abort(std::string_view line) {
  return std::any_of(std::begin(kAborts), std::end(kAborts), [&](const Phrase& phrase) {
    return phrase.at_start ? line.starts_with(phrase.text)
                           : line.find(phrase.text) != std::string_view::npos;
  });
}

/// `prog: file.c:12: func: Assertion `x' failed.`, and that of a CUDA kernel, which prints it once
/// a thread and does not end the program.
std::optional<Candidate> assertion(std::string_view line, std::size_t at) {
  const std::size_t start = line.find("Assertion `");
  if (start == std::string_view::npos) return std::nullopt;
  const std::size_t end = line.find(" failed", start);
  if (end == std::string_view::npos) return std::nullopt;
  Candidate found = candidate_in(at, at, one_line(line.substr(start, end - start)) + " failed");
  found.error.location = source_location(line.substr(0, start));
  if (line.find("block: [") < start) found.error.weight = Weight::kLine;
  return found;
}

}  // namespace

Attempt cpp_terminate(const Lines& lines, std::size_t at) {
  const std::string_view line = utf8::truncate(lines[at], kLongestSummary);
  if (const std::size_t gnu = line.find("terminate called "); gnu != std::string_view::npos) {
    return gnu_terminate(lines, at, line.substr(gnu));
  }
  if (line.find("libc++abi: terminating ") == std::string_view::npos) return {at, std::nullopt};
  constexpr std::string_view kType = "exception of type ";
  const std::size_t type = line.find(kType);
  const std::string_view summary =
      type == std::string_view::npos ? line : line.substr(type + kType.size());
  return {at + 1, candidate_in(at, at, one_line(summary))};
}

Attempt libc_abort(const Lines& lines, std::size_t at) {
  const std::string_view line = utf8::truncate(lines[at], kLongestSummary);
  if (auto found = assertion(line, at)) return {at + 1, std::move(found)};
  if (!is_abort(line)) return {at, std::nullopt};
  return {at + 1, candidate_in(at, at, one_line(line))};
}

Attempt sanitizer_report(const Lines& lines, std::size_t at) {
  constexpr std::size_t kReportLines = 200;
  const std::string_view line = utf8::truncate(lines[at], kLongestSummary);
  const std::size_t start = line.find("ERROR: ");
  if (start == std::string_view::npos ||
      line.find("Sanitizer: ", start) == std::string_view::npos) {
    return {at, std::nullopt};
  }
  constexpr std::size_t kErrorWord = std::string_view("ERROR: ").size();
  Candidate found = candidate_in(at, at, one_line(line.substr(start + kErrorWord)));
  for (std::size_t i = at + 1; i < lines.size() && i - at < kReportLines; ++i) {
    constexpr std::string_view kSummary = "SUMMARY: ";
    if (!lines[i].starts_with(kSummary)) continue;
    found.last = i;
    found.error.summary = one_line(lines[i].substr(kSummary.size()));
    found.error.location = source_location(found.error.summary);
    break;
  }
  return {found.last + 1, std::move(found)};
}

std::string_view source_location(std::string_view message) {
  constexpr std::array<std::string_view, 11> kEnds = {".c",  ".cc",  ".cpp", ".cxx", ".cu", ".h",
                                                      ".hh", ".hpp", ".cuh", ".py",  ".rs"};
  message = utf8::truncate(message, kLongestSummary);
  for (std::size_t colon = message.find(':'); colon != std::string_view::npos;
       colon = message.find(':', colon + 1)) {
    const std::size_t start = message.find_last_of(" \t/(\"'[", colon) + 1;  // npos + 1 is 0
    const std::string_view name = message.substr(start, colon - start);
    std::size_t end = colon + 1;
    while (end < message.size() && message[end] >= '0' && message[end] <= '9') ++end;
    const auto ends = [&](std::string_view extension) { return name.ends_with(extension); };
    if (end > colon + 1 && std::any_of(kEnds.begin(), kEnds.end(), ends)) {
      return message.substr(start, end - start);
    }
  }
  return {};
}

}  // namespace trainit::diagnose
