#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sys/event_loop.h"

namespace trainit::logs {

/// The last 64 KiB of a stream, and when each part of it arrived. Of an error that is longer, or
/// after which so much came, its beginning, too.
class Tail {
 public:
  static constexpr std::size_t kBytes = std::size_t{64} * 1024;
  static constexpr std::size_t kBeginningBytes = std::size_t{8} * 1024;

  /// How something began that `text()` is the end of.
  struct Beginning {
    std::string text;   ///< at most `kBeginningBytes`; cut off anywhere
    sys::TimePoint at;  ///< when it arrived
    bool of_error = false;
  };

  void append(std::string_view bytes, sys::TimePoint now);

  std::string_view text() const;
  /// When the byte at this offset of `text()` arrived. A long tail made of very many small pieces
  /// knows it only roughly for the older ones, never later than it was.
  sys::TimePoint arrived_at(std::size_t offset) const;
  /// From the last error on that began before `text()`, with the line before it, which may say
  /// whose it is; or, where `text()` is the end of one single line, the beginning of that. Empty
  /// where there is none, where all after it took so long to come that it is another story, and
  /// where more came than is looked through.
  Beginning beginning() const;

 private:
  /// The bytes of the stream from `position` on arrived at `at`.
  struct Mark {
    std::uint64_t position;
    sys::TimePoint at;
  };

  void add_mark(sys::TimePoint now);
  bool is_flooded(sys::TimePoint now);
  void let_go(bool unseen);
  std::optional<Beginning> beginning_in(std::size_t gone) const;
  bool is_recent(const Beginning& beginning) const;
  std::uint64_t begin_of_buffer() const { return length_ - buffer_.size(); }
  sys::TimePoint time_of(std::uint64_t position) const;

  std::string buffer_;        ///< ends with the tail; up to twice as long, so that it moves seldom
  std::uint64_t length_ = 0;  ///< of the whole stream
  std::vector<Mark> marks_;   ///< by position
  std::size_t seen_ = 0;      ///< how much of the buffer's beginning was looked through
  Beginning beginning_;       ///< that was found in this, and in what was there before
  sys::TimePoint looked_since_;
  int looks_ = 0;  ///< since then
};

}  // namespace trainit::logs
