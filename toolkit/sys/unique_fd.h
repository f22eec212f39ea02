#pragma once

#include <utility>

namespace trainit::sys {

/// A descriptor that somebody else owns and keeps open for as long as this is used.
class BorrowedFd {
 public:
  constexpr explicit BorrowedFd(int fd) : fd_(fd) {}
  constexpr int get() const { return fd_; }

 private:
  int fd_;
};

/// Owns one open descriptor, or none (-1), and closes it.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  BorrowedFd borrow() const { return BorrowedFd(fd_); }
  explicit operator bool() const { return fd_ >= 0; }

  /// Gives the descriptor away; this owns none afterwards.
  int release() { return std::exchange(fd_, -1); }
  /// Closes what is owned and owns `fd` from now on. `errno` stays as it was.
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

}  // namespace trainit::sys
