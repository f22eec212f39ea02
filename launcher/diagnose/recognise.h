#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "diagnose/error_text.h"
#include "diagnose/lines.h"

/// One recogniser for each kind of error message. A new kind is a function here and a row of the
/// table in error_text.cc.
namespace trainit::diagnose {

/// An error in a worker's output, in the lines `first` to `last`.
struct Candidate {
  ErrorText error;  ///< without `detail`, which is made of the lines when this one is chosen
  std::size_t first = 0, last = 0;
  std::string_view prefix;   ///< that a program put before each of these lines: "[rank0]: "
  bool exception = false;    ///< of an interpreter; a native abort soon after it is its consequence
  bool killed = false;       ///< a report that a signal ended a process, which says nothing itself
  std::size_t dump_end = 0;  ///< the last line of what was printed with it, beyond `last`
};

/// What one recogniser made of the lines from `at` on. `next` is the first line that it has not
/// used up: `at` itself when the line is none of its business.
struct Attempt {
  std::size_t next;
  std::optional<Candidate> found;
};
using Recogniser = Attempt (*)(const Lines& lines, std::size_t at);

/// `Traceback (most recent call last):` and the exceptions chained to it; `SyntaxError` and its
/// kin, which stand without that headline; a traceback whose start was cut off.
Attempt python_traceback(const Lines& lines, std::size_t at);
/// The framed tracebacks of an ExceptionGroup: the group and the first exception in it.
Attempt python_exception_group(const Lines& lines, std::size_t at);
/// The boxes that the package rich draws.
Attempt python_rich_traceback(const Lines& lines, std::size_t at);
/// `Fatal Python error: Segmentation fault` and the stack that follows.
Attempt python_fatal_error(const Lines& lines, std::size_t at);
/// `terminate called after throwing an instance of 'X'` with its `what()`, of both C++ libraries.
Attempt cpp_terminate(const Lines& lines, std::size_t at);
/// Messages with which the C library aborts, and failed assertions.
Attempt libc_abort(const Lines& lines, std::size_t at);
/// `ERROR: AddressSanitizer: …` and its kin.
Attempt sanitizer_report(const Lines& lines, std::size_t at);
/// `Exception in thread "main" …` with its causes, and exceptions that a Java program printed.
Attempt java_exception(const Lines& lines, std::size_t at);
/// What the `java` command and the virtual machine say when they crash, or cannot start.
Attempt java_machine_error(const Lines& lines, std::size_t at);
/// `panic: …` and `fatal error: …` of Go, with the stack that follows.
Attempt go_panic(const Lines& lines, std::size_t at);
/// `thread 'main' panicked at …` of Rust, in both forms, and what its runtime says at an end.
Attempt rust_panic(const Lines& lines, std::size_t at);
/// `Error in f(x) : …` of R, up to its `Execution halted`, and its report of a crash.
Attempt r_error(const Lines& lines, std::size_t at);
/// `ERROR: LoadError: …` of Julia, with its stacks, and its report of a signal.
Attempt julia_error(const Lines& lines, std::size_t at);
/// Errors that Open MPI or MPICH found, their crash reports, and what mpirun could not start.
Attempt mpi_error(const Lines& lines, std::size_t at);
/// What MPI's launchers and `MPI_Abort` say about processes that ended.
Attempt mpi_report(const Lines& lines, std::size_t at);
/// A line of CUDA or NCCL, or of PyTorch about them.
Attempt gpu_error_line(const Lines& lines, std::size_t at);

/// True when a message says that a peer or a connection is gone, which is what the other workers of
/// a job say when one has failed.
bool speaks_of_communication(std::string_view message);

/// True when a message only says that a program, which this one ran, ended with a code: what that
/// program printed before explains it.
bool reports_child(std::string_view message);

/// "main.cu:42" of "…/main.cu:42: …": the first source file and line that a message names.
std::string_view source_location(std::string_view message);

/// The text before and after which a summary is cut; no message needs more on one line.
inline constexpr std::size_t kLongestSummary = 2048;

}  // namespace trainit::diagnose
