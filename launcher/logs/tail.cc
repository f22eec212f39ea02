#include "logs/tail.h"

#include <algorithm>

namespace trainit::logs {
namespace {

constexpr std::size_t kMostMarks = 256;

}  // namespace

void Tail::append(std::string_view bytes, sys::TimePoint now) {
  if (bytes.empty()) return;
  add_mark(now);
  length_ += bytes.size();
  if (bytes.size() >= kBytes) {
    buffer_.assign(bytes.substr(bytes.size() - kBytes));
    return;
  }
  if (buffer_.size() + bytes.size() > 2 * kBytes) buffer_.erase(0, buffer_.size() - kBytes);
  buffer_ += bytes;
}

void Tail::add_mark(sys::TimePoint now) {
  if (marks_.size() == kMostMarks) {
    // The earlier of two neighbours stays, for both.
    std::size_t kept = 0;
    for (std::size_t i = 0; i < marks_.size(); i += 2) marks_[kept++] = marks_[i];
    marks_.resize(kept);
  }
  const std::uint64_t tail_begin = length_ - text().size();
  const auto first_needed = std::find_if(
      marks_.begin(), marks_.end(), [&](const Mark& mark) { return mark.position > tail_begin; });
  if (first_needed - marks_.begin() > 1) marks_.erase(marks_.begin(), first_needed - 1);
  marks_.push_back({length_, now});
}

std::string_view Tail::text() const {
  const std::string_view all = buffer_;
  return all.substr(all.size() - std::min(all.size(), kBytes));
}

sys::TimePoint Tail::arrived_at(std::size_t offset) const {
  const std::uint64_t position = length_ - text().size() + offset;
  const auto next = std::find_if(marks_.begin(), marks_.end(),
                                 [&](const Mark& mark) { return mark.position > position; });
  return next == marks_.begin() ? sys::TimePoint{} : (next - 1)->at;
}

}  // namespace trainit::logs
