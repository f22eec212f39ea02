#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/blocks.h"
#include "diagnose/recognise.h"

// What MPI says of processes that ended, or asked for the end: never more than a consequence of the
// error that was printed before.
namespace trainit::diagnose {
namespace {

// Of one of these texts.
constexpr std::size_t kMostLines = 16;

/// True where the text names a signal that a process does not send to itself.
bool tells_of_kill(std::string_view text) {
  constexpr std::string_view kSignal = "signal ";
  const std::size_t start = text.find(kSignal);
  if (start == text.npos) return false;
  const std::string_view number = text.substr(start + kSignal.size(), 2);
  return number == "9 " || number == "9)" || number == "11" || number == "7 " || number == "7)";
}

Attempt report(const Block& block, std::string summary) {
  Candidate found = block.candidate(std::move(summary));
  found.error.weight = Weight::kReport;
  found.killed = tells_of_kill(found.error.summary);
  return {block.line() + 1, std::move(found)};
}

/// Takes the rest of a text in, up to the rule below it, if that is near.
void read_to_rule(Block& block) {
  Block end = block;
  for (std::size_t count = 0; count < kMostLines && end.ahead(); ++count) {
    end.advance();
    if (!is_mpi_rule(end.text())) continue;
    block = end;
    return;
  }
}

/// "MPI_ABORT was invoked on rank 1 in communicator MPI_COMM_WORLD with errorcode 3".
Attempt abort_report(Block& block) {
  std::string summary = one_line(block.text());
  while (block.ahead() && !trim(*block.ahead()).empty() && !is_mpi_rule(*block.ahead()) &&
         summary.size() < kLongestSummary) {
    block.advance();
    summary += " " + one_line(block.text());
  }
  if (summary.ends_with('.')) summary.pop_back();
  read_to_rule(block);
  return report(block, one_line(summary));
}

/// The number after the last comma of "[[22460,1],1]".
std::string rank_of(std::string_view process) {
  const std::string_view rank = process.substr(process.rfind(',') + 1);
  return std::string(rank.substr(0, rank.find_first_not_of("0123456789")));
}

/// `mpirun detected that one or more processes exited with non-zero status`, the process and its
/// code below it.
Attempt exit_report(Block& block) {
  constexpr std::string_view kName = "Process name: ", kCode = "Exit code: ";
  std::string rank, code;
  for (std::size_t count = 0; count < kMostLines && block.ahead(); ++count) {
    block.advance();
    const std::string_view line = trim(block.text());
    if (is_mpi_rule(line)) break;
    if (line.starts_with(kName)) rank = rank_of(line.substr(kName.size()));
    if (line.starts_with(kCode)) code = one_line(line.substr(kCode.size()));
  }
  if (code.empty()) return report(block, "mpirun: a process ended with a code that is not 0");
  return report(block, "mpirun: rank " + rank + " ended with exit code " + code);
}

bool is_exit_report(std::string_view line) {
  return line.find(" detected that one or more processes exited with non-zero") != line.npos;
}

bool is_signal_report(std::string_view line) {
  return line.find(" noticed that process rank ") != line.npos;
}

/// `mpirun noticed that process rank 1 with PID 0 on node algo-1 exited on signal 9 (Killed).`
Attempt signal_report(Block& block) {
  // Without a space at its end, which a line that was cut there has lost.
  const std::string line = one_line(block.text());
  std::string summary = "mpirun: " + line.substr(std::min(line.find("process rank"), line.size()));
  const std::size_t pid = summary.find(" with PID "), node = summary.find(" on node ");
  if (pid < node && node != summary.npos) summary.erase(pid, node - pid);
  if (summary.ends_with('.')) summary.pop_back();
  read_to_rule(block);
  return report(block, std::move(summary));
}

/// "1 process" of `Primary job  terminated normally, but 1 process returned`.
std::string who_failed(std::string_view line) {
  constexpr std::string_view kBut = "normally, but ";
  const std::size_t begin = line.find(kBut), end = line.find(" returned");
  if (begin == line.npos || end == line.npos || end < begin + kBut.size()) return "processes";
  return one_line(line.substr(begin + kBut.size(), end - begin - kBut.size()));
}

/// `Primary job  terminated normally, but 1 process returned a non-zero exit code`, which says less
/// than the text that mpirun prints after it.
Attempt job_report(Block& block) {
  std::string summary = "mpirun: " + who_failed(block.text()) + " ended with a code that is not 0";
  while (block.ahead_starts_with("a non-zero exit code") ||
         (block.ahead() && is_mpi_rule(*block.ahead())))
    block.advance();
  if (!block.ahead()) return report(block, std::move(summary));
  const std::string_view next = utf8::truncate(*block.ahead(), kLongestSummary);
  const bool of_exit = is_exit_report(next);
  if (!of_exit && !is_signal_report(next)) return report(block, std::move(summary));
  block.advance();
  return of_exit ? exit_report(block) : signal_report(block);
}

/// Hydra: `BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES` in a box, and how it ended.
Attempt hydra_report(Block& block) {
  constexpr std::string_view kCode = "=   EXIT CODE: ", kString = "WITH THE EXIT STRING: ";
  std::string code, how;
  for (std::size_t count = 0; count < kMostLines && block.ahead(); ++count) {
    if (!block.ahead()->starts_with('=') && block.ahead()->find(kString) == std::string::npos)
      break;
    block.advance();
    const std::string_view line = utf8::truncate(block.text(), kLongestSummary);
    if (line.starts_with(kCode)) code = one_line(line.substr(kCode.size()));
    if (const std::size_t text = line.find(kString); text != line.npos)
      how = one_line(line.substr(text + kString.size()));
  }
  return report(block, "mpirun: a process ended with " +
                           (!how.empty() ? how : "exit code " + (code.empty() ? "?" : code)));
}

}  // namespace

Attempt mpi_report(const Lines& lines, std::size_t at) {
  Block block(lines, at);
  const std::string_view text = utf8::truncate(block.text(), kLongestSummary);
  if (text.starts_with("MPI_ABORT was invoked on rank ")) return abort_report(block);
  if (text.starts_with("Primary job ") && text.find("terminated normally, but") != text.npos)
    return job_report(block);
  if (is_exit_report(text)) return exit_report(block);
  if (is_signal_report(text)) return signal_report(block);
  if (text.find("application called MPI_Abort(") != text.npos) return report(block, one_line(text));
  if (text.starts_with("=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES"))
    return hydra_report(block);
  return {at, std::nullopt};
}

}  // namespace trainit::diagnose
