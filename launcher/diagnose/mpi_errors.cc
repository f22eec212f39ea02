#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/blocks.h"
#include "diagnose/recognise.h"

// Errors that an MPI library finds, the crashes that it reports, and programs that mpirun could not
// start. What a launcher says of processes that ended by themselves is in mpi_reports.cc.
namespace trainit::diagnose {
namespace {

/// Open MPI: `*** An error occurred in MPI_Send`, its class four lines below.
Attempt open_mpi_error(Block& block) {
  constexpr std::string_view kIn = "*** An error occurred in ", kClass = "*** MPI_ERR";
  constexpr std::size_t kMostLines = 8;
  std::string summary = one_line(block.text().substr(kIn.size()));
  for (std::size_t count = 0; count < kMostLines && block.ahead_starts_with("***"); ++count) {
    block.advance();
    const std::string_view line = block.text();
    const bool names_class = line.starts_with(kClass) && line.find("ARE_FATAL") == line.npos;
    if (names_class) summary += ": " + one_line(line.substr(std::string_view("*** ").size()));
  }
  return {block.line() + 1, block.candidate(std::move(summary))};
}

/// MPICH and its kin: `Fatal error in PMPI_Send: Invalid rank, error stack:`, and below it the
/// functions, the last of which knows what was wrong.
Attempt mpich_error(Block& block, std::size_t start) {
  constexpr std::string_view kStack = ", error stack:";
  constexpr std::size_t kMostLines = 40;
  std::string summary = one_line(block.text().substr(start));
  std::string_view last;
  if (summary.ends_with(kStack)) {
    summary.resize(summary.size() - kStack.size());
    for (std::size_t count = 0; count < kMostLines && block.ahead(); ++count) {
      const std::string_view line = utf8::truncate(*block.ahead(), kLongestSummary);
      const std::size_t text = line.find(": ");
      if (text == std::string_view::npos || line.substr(0, text).find('(') == line.npos) break;
      block.advance();
      last = trim(line.substr(text + 2));
    }
  }
  if (!last.empty()) summary += ": " + std::string(last);
  return {block.line() + 1, block.candidate(std::move(summary))};
}

/// Open MPI: `*** Process received signal ***` to `*** End of error message ***`.
Attempt open_mpi_crash(Block& block) {
  constexpr std::string_view kSignal = "Signal: ", kCode = "Signal code: ";
  constexpr std::size_t kMostLines = 140;
  std::string signal, code;
  for (std::size_t count = 0; count < kMostLines && block.ahead(); ++count) {
    block.advance();
    const std::string_view line = block.text();
    if (line.starts_with("*** End of error message")) break;
    if (line.starts_with(kSignal)) signal = one_line(line.substr(kSignal.size()));
    if (line.starts_with(kCode)) code = one_line(line.substr(kCode.size()));
  }
  if (code.starts_with('(')) code.clear();  // a signal that some process sent has a number only
  std::string summary = signal.empty() ? "Process received signal" : std::move(signal);
  if (!code.empty()) summary += ": " + code;
  return {block.line() + 1, block.candidate(std::move(summary))};
}

/// The first sentences of texts in which mpirun says that it could not start the program.
constexpr std::string_view kRefusals[] = {
    "There are not enough slots available in the system",
    "There are no allocated resources for the application",
    "ORTE was unable to reliably start one or more daemons",
    "PRTE was unable to reliably start one or more daemons",
    "An ORTE daemon has unexpectedly failed after launch",
    "It looks like MPI_INIT failed for some reason",
    "At least one pair of MPI processes are unable to reach each other",
};

bool is_refusal(std::string_view line) {
  if (line.find(" was unable to launch the specified application") != line.npos ||
      line.find(" was unable to find the specified executable file") != line.npos)
    return true;
  return std::any_of(std::begin(kRefusals), std::end(kRefusals),
                     [&](std::string_view start) { return line.starts_with(start); });
}

/// The line before the rule that ends mpirun's advice, which is many lines long.
std::size_t end_of_advice(Block block) {
  constexpr std::size_t kMostLines = 40;
  const std::size_t without_rule = block.line();
  for (std::size_t count = 0; count < kMostLines && block.ahead(); ++count) {
    if (is_mpi_rule(*block.ahead())) return block.line();
    block.advance();
  }
  return without_rule;
}

/// The paragraph, and the next one where it ends in a colon.
Attempt refusal(Block& block) {
  constexpr std::size_t kMostLines = 8;
  std::string summary = one_line(block.text());
  bool more = true;
  for (std::size_t count = 0; count < kMostLines && more && block.ahead(); ++count) {
    const std::string next = one_line(*block.ahead());
    more = !next.empty() || summary.ends_with(':');
    if (!more || is_mpi_rule(next)) break;
    block.advance();
    if (next.empty()) continue;
    const bool item = summary.ends_with(':');
    summary += " " + next;
    if (item) break;
  }
  Candidate found = block.candidate(one_line(summary));
  found.dump_end = end_of_advice(block);
  return {found.dump_end + 1, std::move(found)};
}

/// `[algo-1:42:0:42] Caught signal 11 (Segmentation fault: …)` of UCX, below both libraries. The
/// stack under it has no such prefix.
Attempt ucx_crash(const Lines& lines, const Block& block) {
  constexpr std::size_t kFrames = 140;
  Candidate found = block.candidate(one_line(block.text()));
  std::size_t last = block.line() + 1;
  if (lines[last].starts_with("==== backtrace")) {
    while (last - block.line() < kFrames && !trim(lines[last]).empty()) ++last;
    found.dump_end = last - 1;
  }
  return {std::max(found.last, found.dump_end) + 1, std::move(found)};
}

Attempt read_error(const Lines& lines, Block& block) {
  const std::string_view text = utf8::truncate(block.text(), kLongestSummary);
  if (text.starts_with("*** An error occurred in ")) return open_mpi_error(block);
  if (text.starts_with("*** Process received signal ***")) return open_mpi_crash(block);
  if (text.starts_with("Caught signal ")) return ucx_crash(lines, block);
  const std::size_t fatal = text.find("Fatal error in ");
  const bool mpich = fatal == 0 || (fatal != text.npos && text.starts_with("Abort("));
  if (mpich && text.find(':', fatal) != text.npos) return mpich_error(block, fatal);
  if (is_refusal(text)) return refusal(block);
  return {block.line(), std::nullopt};
}

}  // namespace

Attempt mpi_error(const Lines& lines, std::size_t at) {
  Block block(lines, at);
  Attempt attempt = read_error(lines, block);
  // The process that is gone had its own reason.
  if (attempt.found && attempt.found->error.communication)
    attempt.found->error.weight = Weight::kBystander;
  return attempt;
}

}  // namespace trainit::diagnose
