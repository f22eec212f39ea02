#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace trainit::diagnose {

/// How much a message explains of the end of the process that printed it.
enum class Weight {
  kNothing,    ///< the last lines, nothing in which is known to be an error
  kReport,     ///< of a launcher about a process that it ran: a consequence of that one's error
  kLine,       ///< a line that speaks of an error; the program may have gone on
  kBystander,  ///< of a thread, of a child, or of an end that somebody else asked for
  kFatal,      ///< the program's last words
};

/// A program's own account of its end, found in what it printed.
struct ErrorText {
  std::string summary;   ///< one line: "ValueError: learning rate must be positive"
  std::string location;  ///< "train.py:42"; empty when it names none
  std::string frame;   ///< `File "/opt/ml/code/train.py", line 42, in make_optimizer`; may be empty
  std::string detail;  ///< the block it was found in: the traceback, the lines around an abort
  bool communication = false;  ///< says that a peer or a connection is gone: likely a consequence
  Weight weight = Weight::kFatal;
  /// The last one that was printed, where much came after the error: the program went on. Empty:
  /// hardly anything did. After a line that only speaks of an error anything is much.
  std::string last_line;
  /// Bytes before its first line in the tail, to ask when it arrived; `kBeforeTail`: it stands in
  /// what was kept of the output before that.
  std::size_t offset = 0;
  static constexpr std::size_t kBeforeTail = std::string_view::npos;

  /// Nothing in it is known to be an error.
  bool only_last_lines() const { return weight == Weight::kNothing; }
  /// The error was the end of what the program had to say.
  bool last_words() const { return last_line.empty(); }
  /// It only speaks of an error, and the program had something else to say at its end.
  bool in_passing() const { return weight == Weight::kLine && !last_words(); }
};

/// Finds the error that explains the end in the tail of a worker's stderr (or stdout): the last
/// Python traceback (chained, multi-line and SyntaxError too), a C++ `terminate called…`, an abort
/// of the C library, a sanitizer's report, an uncaught error of Java, Go, Rust, R or Julia, an
/// error of MPI, CUDA and NCCL error lines, an MPI launcher's report. Nothing when the tail has
/// none; then the last lines speak for themselves (`last_lines`). Where much was printed after the
/// error, the last lines stand in `detail`, too, and what they say of a lost peer counts. The tail
/// may be any bytes, cut off anywhere; the time grows with its length. `summary` has at most some 4
/// KiB and `detail` 16 KiB, both of valid UTF-8.
///
/// `beginning` is how an error began of which the tail is only the end, or after which so much was
/// printed, if that is still known: an error in it counts unless the tail has one that is as heavy.
std::optional<ErrorText> find_error(std::string_view tail, std::string_view beginning = {});

/// The last lines of a tail that has no recognised error, as an ErrorText whose summary is the last
/// line; nothing when the tail is blank. Where the tail is one single line, `beginning` is how that
/// began. `offset` is that of the last line.
std::optional<ErrorText> last_lines(std::string_view tail, std::string_view beginning = {});

/// Whether an error in a worker's stdout explains its end better than one in its stderr: programs
/// print their errors there, so it must be heavier, and the end of what was printed.
bool outweighs(const ErrorText& in_stdout, const ErrorText& in_stderr);

/// Adds what a worker printed at its end elsewhere, if it tells more than this line about an error.
void add_last_words(ErrorText& error, const ErrorText& last);

/// Reads a torch-elastic error file (TORCHELASTIC_ERROR_FILE), both shapes:
/// `{"message": {"message": …, "extraInfo": {"py_callstack": …, "timestamp": "1700000000"}}}` and
/// `{"message": "text", "timestamp": 1700000000}`. Nothing when it is neither.
std::optional<ErrorText> read_error_file(std::string_view json);

}  // namespace trainit::diagnose
