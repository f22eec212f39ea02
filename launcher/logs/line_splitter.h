#pragma once

#include <cstddef>
#include <cstring>
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

  explicit LineSplitter(std::size_t longest_line = kLongestLine) : longest_line_(longest_line) {}

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
  static std::size_t size_of_whole_lines(std::string_view bytes) {
    if (bytes.empty()) return 0;
    // rfind() looks at each byte by itself, which costs more than all copies of a long line.
    const void* const end = ::memrchr(bytes.data(), '\n', bytes.size());
    return end == nullptr ? 0 : static_cast<const char*>(end) - bytes.data() + 1;
  }
  /// Whatever a single long line made it hold is given back.
  void reset() {
    if (unfinished_.capacity() > std::size_t{64} * 1024) {
      std::string().swap(unfinished_);
    } else {
      unfinished_.clear();
    }
  }

  std::size_t longest_line_;
  std::string unfinished_;
};

template <class Take>
void LineSplitter::feed(std::string_view bytes, Take&& take) {
  const std::size_t whole_lines = size_of_whole_lines(bytes);
  if (whole_lines > 0 && !unfinished_.empty()) {
    const std::size_t first_line = bytes.find('\n') + 1;
    unfinished_ += bytes.substr(0, first_line);
    take(std::string_view(unfinished_));
    reset();
    bytes.remove_prefix(first_line);
    return feed(bytes, take);
  }
  if (whole_lines > 0) {
    take(bytes.substr(0, whole_lines));
    bytes.remove_prefix(whole_lines);
  }
  unfinished_ += bytes;
  if (unfinished_.size() >= longest_line_) flush(take);
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
