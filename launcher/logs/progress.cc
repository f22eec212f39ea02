#include "logs/progress.h"

#include <algorithm>
#include <utility>

namespace trainit::logs {

void ProgressFilter::feed(std::string_view bytes, sys::TimePoint now) {
  // Most output has no '\r' at all.
  if (!in_progress_ && bytes.find('\r') == std::string_view::npos) return take_(bytes);
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view line = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
    bytes.remove_prefix(line.size());
    feed_line(line, now);
  }
}

void ProgressFilter::feed_line(std::string_view line, sys::TimePoint now) {
  const bool ends = line.ends_with('\n');
  const std::string_view states = line.substr(0, line.size() - (line.ends_with("\r\n") ? 2
                                                                : ends                 ? 1
                                                                                       : 0));
  if (!in_progress_ && states.find('\r') == std::string_view::npos) return take_(line);
  in_progress_ = true;
  add_states(states);
  if (ends) {
    show();
    in_progress_ = written_over_ = false;
    state_.clear();
  } else if (state_.size() > kLongestState) {
    take_(state_);
    in_progress_ = written_over_ = false;
    shown_ = true;
    state_.clear();
  } else if (now - shown_at_ >= kInterval) {
    shown_at_ = now;
    show();
  }
}

void ProgressFilter::add_states(std::string_view states) {
  while (!states.empty()) {
    const std::size_t end = states.find('\r');
    const std::string_view state = states.substr(0, end);
    if (!state.empty()) {
      if (std::exchange(written_over_, false)) state_.clear();
      state_ += state;
      shown_ = false;
    }
    if (end == std::string_view::npos) return;
    written_over_ = true;
    states.remove_prefix(end + 1);
  }
}

void ProgressFilter::show() {
  if (std::exchange(shown_, true)) return;
  take_(state_ + "\n");
}

void ProgressFilter::finish() {
  if (in_progress_) show();
}

}  // namespace trainit::logs
