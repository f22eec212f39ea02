#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace trainit::diagnose {

/// A worker's output as a person would have read it: valid UTF-8 without terminal escapes and
/// control characters, and of a line that was written over (a progress bar's `\r`) only what stood
/// there last.
class Lines {
 public:
  explicit Lines(std::string_view output);
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  std::size_t size() const { return lines_.size(); }
  /// The line without its end; empty past the last one.
  std::string_view operator[](std::size_t index) const {
    return index < lines_.size() ? lines_[index] : std::string_view();
  }

 private:
  std::string text_;
  std::vector<std::string_view> lines_;
};

}  // namespace trainit::diagnose
