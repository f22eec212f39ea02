#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "diagnose/lines.h"

/// What the single lines of a Python traceback mean.
namespace trainit::diagnose {

/// `  File "/opt/ml/code/train.py", line 42, in make_optimizer`
struct Frame {
  std::string_view path;
  std::string_view line;
  std::string_view text;  ///< the whole, from `File` on

  /// Not in an installed package and not in Python's own library.
  bool of_user() const;
  /// "train.py:42"
  std::string location() const;
};

/// The frame that this line is; its prefix has been taken off. The stacks of faulthandler, which
/// have no comma after the line number, are frames only when `faulthandler` is true.
std::optional<Frame> parse_frame(std::string_view line, bool faulthandler = false);

/// The headline of a traceback of one exception, whatever stands before it.
bool is_traceback_header(std::string_view line);

/// What some programs put in front of each line of the traceback whose headline is at `at`.
std::string_view prefix_of_traceback(const Lines& lines, std::size_t at);

/// `line` without `prefix`; nothing when it does not have it, and so is somebody else's. A prefix
/// that lost its trailing spaces counts.
std::optional<std::string_view> without_prefix(std::string_view line, std::string_view prefix);

/// "torch.cuda.OutOfMemoryError" of "torch.cuda.OutOfMemoryError: CUDA out of memory…"; empty when
/// the line cannot be the one that ends a traceback.
std::string_view exception_type(std::string_view line);

/// True for types that are surely exceptions, by the words in which their names end.
bool is_known_exception_type(std::string_view type);

}  // namespace trainit::diagnose
