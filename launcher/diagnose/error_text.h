#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace trainit::diagnose {

/// A program's own account of its end, found in what it printed.
struct ErrorText {
  std::string summary;   ///< one line: "ValueError: learning rate must be positive"
  std::string location;  ///< "train.py:42"; empty when it names none
  std::string frame;   ///< `File "/opt/ml/code/train.py", line 42, in make_optimizer`; may be empty
  std::string detail;  ///< the block it was found in: the traceback, the lines around an abort
  bool communication = false;    ///< says that a peer or a connection is gone: likely a consequence
  bool only_last_lines = false;  ///< nothing in it is known to be an error
  /// The last one that was printed, where much came after the error: the program went on. Empty:
  /// hardly anything did.
  std::string last_line;
  std::size_t offset = 0;  ///< bytes before its first line in the tail, to ask when it arrived

  /// The error was the end of what the program had to say.
  bool last_words() const { return last_line.empty(); }
};

/// Finds the error that explains the end in the tail of a worker's stderr (or stdout): the last
/// Python traceback (chained, multi-line and SyntaxError too), a C++ `terminate called…`, an abort
/// of the C library, a sanitizer's report, an uncaught error of Java, Go, Rust, R or Julia, an
/// error of MPI, CUDA and NCCL error lines, an MPI launcher's report. Nothing when the tail has
/// none; then the last lines speak for themselves (`last_lines`). Where much was printed after the
/// error, the last lines stand in `detail`, too, and what they say of a lost peer counts. The tail
/// may be any bytes, cut off anywhere; the time grows with its length. `summary` has at most some 4
/// KiB and `detail` 16 KiB, both of valid UTF-8.
std::optional<ErrorText> find_error(std::string_view tail);

/// The last lines of a tail that has no recognised error, as an ErrorText whose summary is the last
/// line; nothing when the tail is blank.
std::optional<ErrorText> last_lines(std::string_view tail);

/// Reads a torch-elastic error file (TORCHELASTIC_ERROR_FILE), both shapes:
/// `{"message": {"message": …, "extraInfo": {"py_callstack": …, "timestamp": "1700000000"}}}` and
/// `{"message": "text", "timestamp": 1700000000}`. Nothing when it is neither.
std::optional<ErrorText> read_error_file(std::string_view json);

}  // namespace trainit::diagnose
