#include "logs/progress.h"

#include <algorithm>
#include <utility>

namespace trainit::logs {

void ProgressFilter::feed(std::string_view bytes, sys::TimePoint now) {
  // Most output has no '\r' at all.
  if (!in_progress_ && bytes.find('\r') == std::string_view::npos) return pass(bytes);
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view line = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
    bytes.remove_prefix(line.size());
    feed_line(line, now);
  }
}

void ProgressFilter::pass(std::string_view bytes) {
  if (bytes.empty()) return;
  open_ = !bytes.ends_with('\n');
  take_(bytes);
}

void ProgressFilter::feed_line(std::string_view line, sys::TimePoint now) {
  const bool ends = line.ends_with('\n');
  const std::string_view states = line.substr(0, line.size() - (line.ends_with("\r\n") ? 2
                                                                : ends                 ? 1
                                                                                       : 0));
  if (!in_progress_ && states.find('\r') == std::string_view::npos) return pass(line);
  if (!in_progress_) begin_progress();
  add_states(states);
  if (ends) {
    if (!shown_) show();
    in_progress_ = false;
  } else if (state_.size() > longest_state_ && !written_over_) {
    pass(state_);
    in_progress_ = false;
  } else if (!shown_ && !state_.empty() && now - shown_at_ >= kInterval) {
    shown_at_ = now;
    show();
  }
}

void ProgressFilter::begin_progress() {
  in_progress_ = true;
  shown_ = written_over_ = false;
  state_.clear();
}

void ProgressFilter::add_states(std::string_view states) {
  while (!states.empty()) {
    const std::size_t end = states.find('\r');
    const std::string_view state = states.substr(0, end);
    if (!state.empty()) {
      if (std::exchange(written_over_, false)) replace_state();
      state_ += state;
      shown_ = false;
    }
    if (end == std::string_view::npos) return;
    written_over_ = true;
    states.remove_prefix(end + 1);
  }
}

void ProgressFilter::replace_state() {
  // What has been begun, and what is no state of a bar, is shown whole.
  if (open_ || (!shown_ && state_.size() > longest_state_)) show();
  state_.clear();
}

void ProgressFilter::show() {
  shown_ = true;
  open_ = false;
  take_(state_ + "\n");
}

void ProgressFilter::finish() {
  if (in_progress_ && !shown_ && !state_.empty()) show();
}

}  // namespace trainit::logs
