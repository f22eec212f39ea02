#include "store/connection.h"

#include <fmt/core.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "sys/address.h"
#include "sys/files.h"

namespace trainit::store {
namespace {

using namespace std::chrono_literals;
using sys::TimePoint;

constexpr std::size_t kReadBytes = 64 << 10;

/// What one answer may come to: appended values have no limit of their own.
constexpr std::uint64_t kMostText = std::uint64_t{1} << 30;

/// Pauses between attempts to connect. The last is cut so that an attempt begins kFirstPause before
/// the deadline.
constexpr sys::Duration kFirstPause = 10ms, kLongestPause = 1s;

int milliseconds_to(TimePoint deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - sys::Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000'000));
}

/// False: the deadline has passed.
bool wait_for(const sys::UniqueFd& socket, short events, TimePoint deadline) {
  pollfd entry = {socket.get(), events, 0};
  for (;;) {
    const int ready = ::poll(&entry, 1, milliseconds_to(deadline));
    if (ready > 0) return true;
    if (ready == 0 && sys::Clock::now() >= deadline) return false;
  }
}

/// A connected socket, or why there is none.
Result<sys::UniqueFd> connect_once(const sys::Address& address, int port, TimePoint deadline) {
  socklen_t size = 0;
  const sockaddr_storage storage = address.socket_address(port, size);
  sys::UniqueFd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail(sys::errno_text(errno));
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const int result = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size);
  if (result != 0 && errno != EINPROGRESS) return fail(sys::errno_text(errno));
  if (!wait_for(socket, POLLOUT, deadline)) return fail("no answer");
  int error = 0;
  socklen_t error_size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &error_size);
  if (error != 0) return fail(sys::errno_text(error));
  return socket;
}

}  // namespace

Result<Connection> Connection::open(const std::string& address, int port, TimePoint deadline) {
  const sys::Address where = TRAINIT_TRY(sys::Address::parse(address));
  const std::string peer =
      fmt::format(fmt::runtime(where.is_ipv4() ? "{}:{}" : "[{}]:{}"), where.text(), port);
  const auto pid = static_cast<std::uint32_t>(::getpid());
  for (sys::Duration pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    auto socket = connect_once(where, port, deadline);
    std::string trouble = socket ? "" : socket.error().message;
    if (socket) {
      Connection connection(std::move(*socket), peer);
      // A server that accepts, and is no store or hangs, shows by its answer.
      RequestWriter greeting(Operation::kValidate);
      greeting.word(kMagic).then(Operation::kPing).word(pid);
      const auto sent = connection.send(greeting, deadline);
      const auto echo = sent ? connection.receive(sizeof pid, deadline)
                             : Result<std::string>(tl::unexpected(sent.error()));
      if (echo && *echo == greeting.bytes().substr(greeting.bytes().size() - sizeof pid))
        return connection;
      if (echo) return fail(fmt::format("at {} there is no rendezvous store", peer));
      trouble = echo.error().message;
    }
    const sys::Duration left = deadline - kFirstPause - sys::Clock::now();
    if (left <= sys::Duration::zero())
      return fail(fmt::format("connecting to the rendezvous store at {}: {}", peer, trouble));
    ::poll(nullptr, 0, milliseconds_to(sys::Clock::now() + std::min(pause, left)));
  }
}

tl::unexpected<Error> Connection::broken(std::string_view what) {
  socket_.reset();
  return fail(fmt::format("the rendezvous store at {}: {}", peer_, what));
}

Result<void> Connection::send(const RequestWriter& request, TimePoint deadline) {
  if (!socket_) return broken("the connection was lost before");
  std::string_view rest = request.bytes();
  while (!rest.empty()) {
    const ssize_t sent = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait_for(socket_, POLLOUT, deadline))
        return broken("it does not take a request in time");
    } else if (errno != EINTR) {
      return broken(sys::errno_text(errno));
    }
  }
  return {};
}

/// Waits until so many bytes are there. Error: they are not, and the deadline has passed, or the
/// connection is broken.
Result<void> Connection::fill(std::size_t size, TimePoint deadline) {
  if (!socket_) return broken("the connection was lost before");
  char buffer[kReadBytes];
  while (came_.size() < size) {
    const ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (got > 0) {
      came_.append(buffer, static_cast<std::size_t>(got));
    } else if (got == 0) {
      return broken("it closed the connection");
    } else if (errno == EAGAIN) {
      if (!wait_for(socket_, POLLIN, deadline)) return fail("no answer in time");
    } else if (errno != EINTR) {
      return broken(sys::errno_text(errno));
    }
  }
  return {};
}

Result<std::string> Connection::receive(std::size_t size, TimePoint deadline) {
  const Result<void> there = fill(size, deadline);
  if (!there) return socket_ ? broken(there.error().message) : tl::unexpected(there.error());
  std::string bytes = came_.substr(0, size);
  came_.erase(0, size);
  return bytes;
}

Result<std::int64_t> Connection::number(TimePoint deadline) {
  return read_number(TRAINIT_TRY(receive(sizeof(std::int64_t), deadline)));
}

Result<std::string> Connection::text(TimePoint deadline) {
  const auto size = static_cast<std::uint64_t>(TRAINIT_TRY(number(deadline)));
  if (size > kMostText) return broken(fmt::format("it announces a value of {} bytes", size));
  return receive(size, deadline);
}

Result<char> Connection::byte(TimePoint deadline) { return TRAINIT_TRY(receive(1, deadline))[0]; }

Result<void> Connection::end_of_wait(TimePoint deadline, TimePoint answered) {
  const Result<void> there = fill(1, deadline);
  if (!there) return socket_ ? cancel_wait(answered) : there;
  const char answer = TRAINIT_TRY(byte(deadline));
  if (answer != kStopWaiting) return broken(fmt::format("it ends a wait with {}", int{answer}));
  return {};
}

/// What is waited for may come while the server reads that nobody waits any more: then both are
/// answered.
Result<void> Connection::cancel_wait(TimePoint deadline) {
  TRAINIT_TRY(send(RequestWriter(Operation::kCancelWait), deadline));
  const char answer = TRAINIT_TRY(byte(deadline));
  if (answer == kCanceled) return fail("timed out");
  if (answer == kStopWaiting && TRAINIT_TRY(byte(deadline)) == kCanceled) return {};
  return broken("it does not answer that a wait is cancelled");
}

}  // namespace trainit::store
