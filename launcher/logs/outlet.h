#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "sys/unique_fd.h"

namespace trainit::logs {

/// What became of bytes that were offered to an outlet.
struct Offer {
  enum class State {
    kTaken,   ///< all of them
    kFull,    ///< no more fit for now
    kFailed,  ///< this time it failed (`error`); a later offer may succeed: a full disk
    kGone,    ///< nobody will ever take anything again (`error`): the reader is gone
  };
  State state;
  std::size_t bytes;  ///< how many were taken
  int error;          ///< an errno value
};

/// A descriptor that our caller gave us for output, as something that takes bytes and never blocks.
///
/// O_NONBLOCK belongs to the open file description, which others share and rely on. So a pipe or a
/// terminal is opened once more through /proc, which makes a description of our own. Where that is
/// refused, small writes after a `poll` do the same more slowly. Regular files keep the descriptor
/// that was given, since its offset is shared too.
class Outlet {
 public:
  /// `fd` stays the caller's and open. `descriptors` is the directory in which the kernel shows our
  /// descriptors.
  explicit Outlet(int fd, const std::string& descriptors = "/proc/self/fd");

  Offer offer(std::string_view bytes);

  /// True when epoll can tell when there is room again. What it cannot tell this about (files,
  /// /dev/null) always has room.
  bool can_be_full() const { return kind_ != Kind::kPlain && kind_ != Kind::kClosed; }
  /// What to wait on, for EPOLLOUT.
  sys::BorrowedFd descriptor() const { return sys::BorrowedFd(own_ ? own_.get() : fd_); }
  /// True when both lead to the same pipe, terminal, socket or file, as after `2>&1`.
  bool leads_where(const Outlet& other) const;

 private:
  enum class Kind {
    kOwn,     ///< a non-blocking description of our own
    kPolled,  ///< the given one, polled before each small write
    kSocket,
    kPlain,  ///< never waits for a reader
    kClosed,
  };

  void open_own(const std::string& path);
  bool has_room() const;
  ssize_t write_some(std::string_view bytes) const;
  Offer failed(std::size_t bytes, int error) const;

  int fd_;
  sys::UniqueFd own_;
  Kind kind_ = Kind::kClosed;
  bool terminal_ = false;
  bool known_ = false;  ///< `device_` and `inode_` say what it is
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace trainit::logs
