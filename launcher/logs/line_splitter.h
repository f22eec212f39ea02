#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace trainit::logs {

/// Cuts a stream of bytes into whole lines, and remembers the line whose end has not come yet.
///
/// What it takes out it hands to `take(std::string_view lines)`: one or more whole lines, each
/// with its '\n', or the next part of one that has no end yet. Every byte comes out once and in
/// order. The view is valid during the call.
class LineSplitter {
 public:
  /// A line that is longer comes out in parts, none of which ends inside a character.
  static constexpr std::size_t kLongestLine = 1 << 20;

  template <class Take>
  void feed(std::string_view bytes, Take&& take);
  /// Hands out what there is of the unfinished line, but not the first bytes of a character whose
  /// last have not come, unless they are all there is.
  template <class Take>
  void flush(Take&& take);
  /// Hands out all of the unfinished line.
  template <class Take>
  void finish(Take&& take);

  bool unfinished() const { return !unfinished_.empty(); }

 private:
  /// Whatever a single long line made it hold is given back.
  void reset() {
    if (unfinished_.capacity() > std::size_t{64} * 1024) {
      std::string().swap(unfinished_);
    } else {
      unfinished_.clear();
    }
  }

  std::string unfinished_;
};

template <class Take>
void LineSplitter::feed(std::string_view bytes, Take&& take) {
  const std::size_t last_end = bytes.rfind('\n');
  if (last_end != std::string_view::npos && !unfinished_.empty()) {
    const std::size_t first_line = bytes.find('\n') + 1;
    unfinished_ += bytes.substr(0, first_line);
    take(std::string_view(unfinished_));
    reset();
    bytes.remove_prefix(first_line);
    return feed(bytes, take);
  }
  if (last_end != std::string_view::npos) {
    take(bytes.substr(0, last_end + 1));
    bytes.remove_prefix(last_end + 1);
  }
  unfinished_ += bytes;
  if (unfinished_.size() >= kLongestLine) flush(take);
}

template <class Take>
void LineSplitter::flush(Take&& take) {
  const std::size_t cut = utf8::cut_off(unfinished_);
  const std::size_t count = unfinished_.size() > cut ? unfinished_.size() - cut : cut;
  if (count == 0) return;
  take(std::string_view(unfinished_).substr(0, count));
  const std::string rest = unfinished_.substr(count);
  reset();
  unfinished_ += rest;
}

template <class Take>
void LineSplitter::finish(Take&& take) {
  if (!unfinished_.empty()) take(std::string_view(unfinished_));
  reset();
}

}  // namespace trainit::logs
