#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "sys/event_loop.h"

namespace trainit::logs {

/// Thins progress bars, which write a line over and over with '\r', to one line a second and its
/// last state. Everything else passes unchanged.
class ProgressFilter {
 public:
  using Take = std::function<void(std::string_view bytes)>;
  static constexpr sys::Duration kInterval = std::chrono::seconds(1);
  /// What stands between two '\r' and is longer is no progress bar, and passes.
  static constexpr std::size_t kLongestState = std::size_t{16} * 1024;

  explicit ProgressFilter(Take take) : take_(std::move(take)) {}

  /// Whole lines, or a part of one.
  void feed(std::string_view bytes, sys::TimePoint now);
  /// Nothing comes any more.
  void finish();

 private:
  void feed_line(std::string_view line, sys::TimePoint now);
  void add_states(std::string_view states);
  void show();

  Take take_;
  bool in_progress_ = false;   ///< the line that is going on has been written over
  bool shown_ = true;          ///< what `state_` says
  std::string state_;          ///< what the line shows at present
  bool written_over_ = false;  ///< by whatever comes next
  sys::TimePoint shown_at_;
};

}  // namespace trainit::logs
