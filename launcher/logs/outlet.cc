#include "logs/outlet.h"

#include <limits.h>

#include <algorithm>
#include <cerrno>

#include "sys/posix.h"

namespace trainit::logs {
namespace {

// A pipe that polls as writable has a free page, and takes PIPE_BUF bytes without blocking.
constexpr std::size_t kPipePiece = PIPE_BUF;
constexpr std::size_t kTerminalPiece = 64;
constexpr int kPipeBytes = 256 * 1024;

/// A terminal that polls as writable takes 64 bytes at once, but looks for room again before each
/// control character, and then blocks. So each of those goes alone.
std::size_t terminal_piece(std::string_view bytes) {
  const auto is_control = [](char byte) { return static_cast<unsigned char>(byte) < 0x20; };
  const std::string_view piece = bytes.substr(0, kTerminalPiece);
  const auto control = std::find_if(piece.begin(), piece.end(), is_control);
  return std::max<std::size_t>(1, static_cast<std::size_t>(control - piece.begin()));
}

/// Of a size with the workers' pipes, so that we need not wait for the reader more often than they
/// for us.
void enlarge_pipe(int fd) {
  if (posix::fcntl(fd, F_GETPIPE_SZ) < kPipeBytes) posix::fcntl(fd, F_SETPIPE_SZ, kPipeBytes);
}

}  // namespace

Outlet::Outlet(int fd, const std::string& descriptors) : fd_(fd) {
  struct stat status = {};
  if (posix::fstat(fd, &status) != 0) {
    // Something is there, and what this kind does is right for all of them, if slow.
    if (errno != EBADF) kind_ = Kind::kPolled;
    return;
  }
  known_ = true;
  device_ = status.st_dev;
  inode_ = status.st_ino;
  terminal_ = S_ISCHR(status.st_mode) && posix::isatty(fd) == 1;
  if (S_ISFIFO(status.st_mode) || terminal_) {
    open_own(descriptors + "/" + std::to_string(fd));
  } else {
    kind_ = S_ISSOCK(status.st_mode) ? Kind::kSocket : Kind::kPlain;
  }
}

void Outlet::open_own(const std::string& path) {
  own_.reset(posix::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat status = {};
  // A /proc of another pid namespace shows another process's descriptors.
  const bool same = own_ && posix::fstat(own_.get(), &status) == 0 && status.st_dev == device_ &&
                    status.st_ino == inode_;
  if (!same) own_.reset();
  kind_ = same ? Kind::kOwn : Kind::kPolled;
  if (same && !terminal_) enlarge_pipe(own_.get());
}

bool Outlet::leads_where(const Outlet& other) const {
  return known_ && other.known_ && device_ == other.device_ && inode_ == other.inode_;
}

bool Outlet::has_room() const {
  pollfd entry = {fd_, POLLOUT, 0};
  return posix::poll(&entry, 1, 0) == 1;
}

ssize_t Outlet::write_some(std::string_view bytes) const {
  switch (kind_) {
    case Kind::kOwn:
      return posix::write(own_.get(), bytes.data(), bytes.size());
    case Kind::kSocket:
      return posix::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Kind::kPlain:
      return posix::write(fd_, bytes.data(), bytes.size());
    case Kind::kPolled:
      if (has_room())
        return posix::write(fd_, bytes.data(),
                            terminal_ ? terminal_piece(bytes) : std::min(bytes.size(), kPipePiece));
      errno = EAGAIN;
      return -1;
    case Kind::kClosed:
      break;
  }
  errno = EBADF;
  return -1;
}

Offer Outlet::failed(std::size_t bytes, int error) const {
  if (error == EAGAIN && can_be_full()) return {Offer::State::kFull, bytes, error};
  const bool hung_up = terminal_ && error == EIO;
  const bool gone = hung_up || error == EPIPE || error == EBADF || error == ECONNRESET;
  return {gone ? Offer::State::kGone : Offer::State::kFailed, bytes, error};
}

Offer Outlet::offer(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    const ssize_t count = write_some(bytes.substr(taken));
    if (count > 0) {
      taken += static_cast<std::size_t>(count);
    } else if (count == 0) {
      return {Offer::State::kFailed, taken, EIO};
    } else if (errno != EINTR) {
      return failed(taken, errno);
    }
  }
  return {Offer::State::kTaken, taken, 0};
}

}  // namespace trainit::logs
