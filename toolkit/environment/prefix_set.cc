#include "environment/prefix_set.h"

#include <algorithm>

namespace trainit::environment {

PrefixSet::PrefixSet(const std::set<std::string>& texts) : texts_(texts.begin(), texts.end()) {
  shorter_.reserve(texts_.size());
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    std::size_t before = i > 0 ? i - 1 : kNone;
    while (before != kNone && !texts_[i].starts_with(texts_[before])) before = shorter_[before];
    shorter_.push_back(before);
    begins_[static_cast<unsigned char>(texts_[i][0])] = true;
  }
}

std::size_t PrefixSet::longest_at(std::string_view text) const {
  if (!begins_any(text[0])) return 0;
  // Whatever `text` begins with, the last one that is not behind it in order begins with, too.
  const auto behind = std::upper_bound(texts_.begin(), texts_.end(), text);
  std::size_t at = behind == texts_.begin() ? kNone : behind - texts_.begin() - 1;
  while (at != kNone && !text.starts_with(texts_[at])) at = shorter_[at];
  return at == kNone ? 0 : texts_[at].size();
}

std::size_t PrefixSet::longest_end_at(std::string_view text) const {
  std::size_t longest = 0;
  for (const std::string_view one : texts_) {
    std::size_t length = std::min(one.size() - 1, text.size());
    while (length > longest && !text.starts_with(one.substr(one.size() - length))) --length;
    longest = std::max(longest, length);
  }
  return longest;
}

bool PrefixSet::has_beginning(std::string_view text) const {
  const auto first = std::lower_bound(texts_.begin(), texts_.end(), text);
  return first != texts_.end() && first->starts_with(text);
}

}  // namespace trainit::environment
