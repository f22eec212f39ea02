#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "sys/event_loop.h"
#include "sys/unique_fd.h"
#include "trainit/result.h"

namespace trainit::sys {

/// What a child of ours tells in lines, through a pipe. Nothing here waits, and a child that has
/// gone mad neither keeps others waiting nor costs more memory than one line.
class LinePipe {
 public:
  struct Listener {
    /// A line, without its end. What comes after the last one's end is none.
    std::function<void(std::string_view line)> line;
    /// One was longer than any that the child writes: nobody listens any more. May be empty.
    std::function<void()> gave_up = {};
  };

  /// `longest`: bytes of the longest line.
  explicit LinePipe(std::size_t longest) : longest_(longest) {}
  LinePipe(const LinePipe&) = delete;
  LinePipe& operator=(const LinePipe&) = delete;
  ~LinePipe() { close(); }

  /// Makes the pipe, and gives its writing end, which waits for us and is close-on-exec. `loop`
  /// outlives this, or `close`. Error: the kernel has no pipe for it.
  Result<UniqueFd> open(EventLoop& loop, Listener listener);
  /// Listens to what has come, but to no more than a few lines of it. False: nothing has, or
  /// nobody writes or listens any more.
  bool read();
  /// Listens to all that has come.
  void read_all() {
    while (read()) {
    }
  }
  /// Listens no more; it may be opened again. No listener may call it.
  void close();

 private:
  bool take(std::string_view bytes);

  std::size_t longest_;
  EventLoop* loop_ = nullptr;
  Listener listener_;
  UniqueFd reader_;
  std::string line_;  ///< one that has not come in whole
};

}  // namespace trainit::sys
