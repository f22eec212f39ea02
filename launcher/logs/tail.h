#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sys/event_loop.h"

namespace trainit::logs {

/// The last 64 KiB of a stream, and when each part of it arrived.
class Tail {
 public:
  static constexpr std::size_t kBytes = std::size_t{64} * 1024;
  using LinePredicate = std::function<bool(std::string_view line)>;

  void append(std::string_view bytes, sys::TimePoint now);

  std::string_view text() const;
  /// When the byte at this offset of `text()` arrived. A long tail made of very many small pieces
  /// knows it only roughly for the older ones, never later than it was.
  sys::TimePoint arrived_at(std::size_t offset) const;
  /// When the first line of `text()` that is such a line began to arrive. The cut line that the
  /// tail may begin with, and the unfinished one that it may end with, count as lines.
  std::optional<sys::TimePoint> first_line_at(const LinePredicate& is_such) const;

 private:
  /// The bytes of the stream from `position` on arrived at `at`.
  struct Mark {
    std::uint64_t position;
    sys::TimePoint at;
  };

  void add_mark(sys::TimePoint now);

  std::string buffer_;        ///< ends with the tail; up to twice as long, so that it moves seldom
  std::uint64_t length_ = 0;  ///< of the whole stream
  std::vector<Mark> marks_;   ///< by position
};

/// True for a line that looks like the report of an error: the head of a Python traceback, what C++
/// prints of an uncaught exception, "error:", "CUDA error", NCCL's warnings, "Segmentation fault".
bool looks_like_error(std::string_view line);

}  // namespace trainit::logs
