#include "coordination/connection.h"

#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "sys/address.h"
#include "sys/files.h"
#include "sys/listener.h"
#include "sys/posix.h"

namespace trainit::coordination {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;

/// More than all messages of a job together; who leaves that unread does not run.
constexpr std::size_t kMostUnsent = 4 << 20;

#ifndef TCP_RTO_MAX_MS
constexpr int TCP_RTO_MAX_MS = 44;  // Linux 6.15
#endif

}  // namespace

void prepare_socket(const sys::UniqueFd& socket) {
  const auto set = [&](int option, int value) {
    posix::setsockopt(socket.get(), IPPROTO_TCP, option, &value, sizeof value);
  };
  set(TCP_NODELAY, 1);
  // The first six retransmissions follow each other without doubling the pause between them…
  set(TCP_THIN_LINEAR_TIMEOUTS, 1);
  // … and where the kernel can, no pause is ever longer than this.
  set(TCP_RTO_MAX_MS, 1000);
}

Connection::Connection(sys::EventLoop& loop, sys::UniqueFd socket)
    : loop_(loop), socket_(std::move(socket)) {}

Connection::~Connection() {
  *alive_ = false;
  if (watched_ && socket_) loop_.unwatch(socket_.borrow());
}

Result<void> Connection::listen(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  if (watched_ || !socket_) return {};
  TRAINIT_TRY(
      loop_.watch(socket_.borrow(), EPOLLIN, [this](std::uint32_t events) { ready(events); }));
  watched_ = true;
  return {};
}

void Connection::ready(std::uint32_t events) {
  const std::shared_ptr<bool> alive = alive_;
  if ((events & EPOLLOUT) != 0) write();
  if (*alive && socket_) read();
}

void Connection::read() {
  char buffer[kReadBytes];
  const ssize_t got = posix::recv(socket_.get(), buffer, sizeof buffer, 0);
  if (got > 0) {
    reader_.feed({buffer, static_cast<std::size_t>(got)});
    take_messages();
  } else if (got == 0) {
    close("ended its connection without a word");
  } else if (errno != EAGAIN && errno != EINTR && errno != ENOMEM && errno != ENOBUFS) {
    close(fmt::format("ended its connection ({})", sys::errno_text(errno)));
  }
}

/// False: there is nothing more to take, because this was closed or destroyed.
bool Connection::take_messages() {
  const std::shared_ptr<bool> alive = alive_;
  for (;;) {
    const auto message = reader_.next();
    if (!message) {
      close("sent what makes no sense: " + message.error().message);
      return false;
    }
    if (!*message) return true;
    const auto received = callbacks_.received;  // who is told may be changed meanwhile
    received(**message);
    if (!*alive || !socket_) return false;
  }
}

void Connection::send(const Message& message) {
  if (!socket_ || unsent_.size() > kMostUnsent) return;
  unsent_ += encode(message);
  write();
}

void Connection::write() {
  while (!unsent_.empty()) {
    const ssize_t sent = posix::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent < 0) break;  // who is gone shows by reading
    unsent_.erase(0, static_cast<std::size_t>(sent));
  }
  if (!watched_) return;
  const std::uint32_t events = unsent_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT;
  [[maybe_unused]] const Result<void> changed = loop_.change(socket_.borrow(), events);
}

bool Connection::is_local() const {
  sockaddr_storage other = {};
  socklen_t size = sizeof other;
  if (posix::getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&other), &size) != 0)
    return false;
  const sys::Address address = sys::Address::of(other);
  return address.is_loopback() || sys::is_from_here(socket_.borrow(), address);
}

void Connection::hang_up() {
  if (watched_) loop_.unwatch(socket_.borrow());
  watched_ = false;
  socket_.reset();
}

void Connection::close(const std::string& how) {
  hang_up();
  // What is called may destroy this.
  const auto closed = callbacks_.closed;
  if (closed) closed(how);
}

}  // namespace trainit::coordination
