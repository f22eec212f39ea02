#include "logs/tail.h"

#include <algorithm>
#include <cstring>

namespace trainit::logs {
namespace {

constexpr std::size_t kMostMarks = 256;
// Of what leaves the buffer so much a second is looked through, each time a tail: whoever prints
// more than 4 MB a second has it passed on at no cost.
constexpr int kMostLooks = 64;
// A program that prints for longer after an error has survived it.
constexpr sys::Duration kOneStory = std::chrono::seconds(10);
// What stands before an error in its own line, and the line before, matter only when they are
// short.
constexpr std::size_t kLongestLineBefore = 512;
constexpr std::size_t kBefore = 2 * kLongestLineBefore;

/// How those messages begin that can be as long: with stacks, or with whatever a program puts in.
constexpr std::string_view kErrors[] = {
    "Traceback (most recent call last)",
    "Fatal Python error: ",
    "terminate called ",
    "libc++abi: terminating ",
    "Exception in thread ",
    "panic: ",
    "fatal error: ",
    " panicked at ",
};
constexpr std::size_t kLongestError = kErrors[0].size();  // none of them is longer

std::size_t find_in(std::string_view text, std::string_view what, std::size_t from) {
  // The library's own find() looks at every byte.
  const void* const found =
      memmem(text.data() + from, text.size() - from, what.data(), what.size());
  return found == nullptr ? std::string_view::npos : static_cast<const char*>(found) - text.data();
}

/// Where the last error begins that begins from `first` on and before `end`.
std::size_t last_error(std::string_view text, std::size_t first, std::size_t end) {
  text = text.substr(0, end + kLongestError);
  std::size_t last = std::string_view::npos;
  for (const std::string_view error : kErrors) {
    std::size_t at = find_in(text, error, first);
    for (; at < end; at = find_in(text, error, at + 1)) {
      if (last == std::string_view::npos || at > last) last = at;
    }
  }
  return last;
}

/// Where the line begins in which `at` is.
std::size_t line_at(std::string_view text, std::size_t at) {
  const std::size_t from = at - std::min(at, kLongestLineBefore);
  const std::size_t end = text.substr(from, at - from).find_last_of("\r\n");
  if (end != std::string_view::npos) return from + end + 1;
  return from == 0 ? 0 : at;
}

bool is_one_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return memrchr(text.data(), '\n', text.size()) == nullptr &&
         memrchr(text.data(), '\r', text.size()) == nullptr;
}

}  // namespace

void Tail::append(std::string_view bytes, sys::TimePoint now) {
  if (bytes.empty()) return;
  add_mark(now);
  const bool flooded = is_flooded(now);
  if (flooded && bytes.size() >= kBytes) {
    length_ += bytes.size();
    buffer_.assign(bytes.substr(bytes.size() - kBytes));
    seen_ = 0;
    return;
  }
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, kBytes - kBefore);
    if (buffer_.size() + part.size() > 2 * kBytes) let_go(flooded);
    buffer_ += part;
    length_ += part.size();
    bytes.remove_prefix(part.size());
  }
}

/// Whether so much came in this second that no more of it is looked through.
bool Tail::is_flooded(sys::TimePoint now) {
  if (now - looked_since_ >= std::chrono::seconds(1)) {
    looked_since_ = now;
    looks_ = 0;
  }
  return looks_ >= kMostLooks;
}

/// Makes the buffer as short as the tail and what may belong to an error at its beginning.
void Tail::let_go(bool unseen) {
  const std::size_t gone = buffer_.size() - kBytes;
  if (!unseen) {
    ++looks_;
    if (auto found = beginning_in(gone)) beginning_ = std::move(*found);
  }
  seen_ = std::min(gone, kBefore);
  buffer_.erase(0, gone - seen_);
}

/// The beginning of what the buffer is the end of from `gone` on, if it lies before that.
std::optional<Tail::Beginning> Tail::beginning_in(std::size_t gone) const {
  if (gone <= seen_) return std::nullopt;
  const std::string_view all = buffer_;
  const std::size_t error = last_error(all, seen_, gone);
  const bool of_error = error != std::string_view::npos;
  std::size_t first = 0;
  if (of_error) {
    const std::size_t line = line_at(all, error);
    first = line == 0 ? 0 : line_at(all, line - 1);
  } else {
    const bool known = beginning_.of_error && is_recent(beginning_);
    if (known || !is_one_line(all.substr(gone))) return std::nullopt;
    const std::size_t end = all.substr(0, gone).find_last_of("\r\n");
    if (end == std::string_view::npos && begin_of_buffer() > 0) return std::nullopt;
    first = end + 1;  // npos + 1 is 0
  }
  return Beginning{std::string(all.substr(first, kBeginningBytes)),
                   time_of(begin_of_buffer() + first), of_error};
}

bool Tail::is_recent(const Beginning& beginning) const {
  return !marks_.empty() && marks_.back().at - beginning.at <= kOneStory;
}

void Tail::add_mark(sys::TimePoint now) {
  if (marks_.size() == kMostMarks) {
    // The earlier of two neighbours stays, for both.
    std::size_t kept = 0;
    for (std::size_t i = 0; i < marks_.size(); i += 2) marks_[kept++] = marks_[i];
    marks_.resize(kept);
  }
  const auto first_needed = std::find_if(marks_.begin(), marks_.end(), [&](const Mark& mark) {
    return mark.position > begin_of_buffer();
  });
  if (first_needed - marks_.begin() > 1) marks_.erase(marks_.begin(), first_needed - 1);
  marks_.push_back({length_, now});
}

std::string_view Tail::text() const {
  const std::string_view all = buffer_;
  return all.substr(all.size() - std::min(all.size(), kBytes));
}

sys::TimePoint Tail::time_of(std::uint64_t position) const {
  const auto next = std::find_if(marks_.begin(), marks_.end(),
                                 [&](const Mark& mark) { return mark.position > position; });
  return next == marks_.begin() ? sys::TimePoint{} : (next - 1)->at;
}

sys::TimePoint Tail::arrived_at(std::size_t offset) const {
  return time_of(length_ - text().size() + offset);
}

Tail::Beginning Tail::beginning() const {
  const std::optional<Beginning> found = beginning_in(buffer_.size() - text().size());
  const Beginning& last = found ? *found : beginning_;
  return is_recent(last) ? last : Beginning{};
}

}  // namespace trainit::logs
