#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sys/event_loop.h"

namespace trainit::logs {

/// The last 64 KiB of a stream, and when each part of it arrived.
class Tail {
 public:
  static constexpr std::size_t kBytes = std::size_t{64} * 1024;

  void append(std::string_view bytes, sys::TimePoint now);

  std::string_view text() const;
  /// When the byte at this offset of `text()` arrived. A long tail made of very many small pieces
  /// knows it only roughly for the older ones, never later than it was.
  sys::TimePoint arrived_at(std::size_t offset) const;

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

}  // namespace trainit::logs
