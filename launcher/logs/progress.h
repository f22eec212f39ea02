#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "sys/event_loop.h"

namespace trainit::logs {

/// Thins progress bars, which write a line over and over with '\r', to one line a second and its
/// last state. Everything else passes unchanged. What was passed on before its line was known for a
/// bar is the beginning of a line of its own.
class ProgressFilter {
 public:
  using Take = std::function<void(std::string_view bytes)>;
  static constexpr sys::Duration kInterval = std::chrono::seconds(1);
  /// What stands between two '\r' and is longer is no progress bar, and passes.
  static constexpr std::size_t kLongestState = std::size_t{16} * 1024;

  explicit ProgressFilter(Take take, std::size_t longest_state = kLongestState)
      : take_(std::move(take)), longest_state_(longest_state) {}

  /// Whole lines, or a part of one.
  void feed(std::string_view bytes, sys::TimePoint now);
  /// Nothing comes any more.
  void finish();

 private:
  void pass(std::string_view bytes);
  void feed_line(std::string_view line, sys::TimePoint now);
  void begin_progress();
  void add_states(std::string_view states);
  void replace_state();
  void show();

  Take take_;
  std::size_t longest_state_;
  bool open_ = false;          ///< what passed last has no end yet
  bool in_progress_ = false;   ///< the line that is going on has been written over
  std::string state_;          ///< what the line shows at present, behind what is open
  bool shown_ = false;         ///< what `state_` says
  bool written_over_ = false;  ///< by whatever comes next
  sys::TimePoint shown_at_;
};

}  // namespace trainit::logs
