#pragma once

#include <array>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace trainit::environment {

/// Many texts, none of them empty, and which of them another text begins with.
class PrefixSet {
 public:
  PrefixSet() = default;
  explicit PrefixSet(const std::set<std::string>& texts);

  bool empty() const { return texts_.empty(); }
  /// Whether any of the texts begins with this byte; most places of a text need no more.
  bool begins_any(char first) const { return begins_[static_cast<unsigned char>(first)]; }
  /// The length of the longest of them that `text`, which is not empty, begins with; 0: with none.
  /// The time hardly grows with their number.
  std::size_t longest_at(std::string_view text) const;
  /// The length of the longest beginning of `text` that is an end of one of them, but not all of
  /// it; 0: there is none.
  std::size_t longest_end_at(std::string_view text) const;
  /// Whether one of them begins with all of `text`.
  bool has_beginning(std::string_view text) const;

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  std::vector<std::string> texts_;    ///< in order
  std::vector<std::size_t> shorter_;  ///< of each, the longest other one that it begins with
  std::array<bool, 256> begins_{};
};

}  // namespace trainit::environment
