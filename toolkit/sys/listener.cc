#include "sys/listener.h"

#include <fmt/core.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/text.h"
#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::sys {
namespace {

/// The kernel cuts it to net.core.somaxconn.
constexpr int kBacklog = 1 << 16;

/// Two addresses need the same number, and a free one of the first may be taken at the second.
constexpr int kTries = 16;

UniqueFd open_socket(bool ipv4) {
  UniqueFd socket(
      ::socket(ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return socket;
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!ipv4) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  return socket;
}

bool is_not_there(int error) {
  return error == EADDRNOTAVAIL || error == EAFNOSUPPORT || error == EPROTONOSUPPORT;
}

std::string text_of(const std::vector<Address>& addresses) {
  std::vector<std::string> texts;
  texts.reserve(addresses.size());
  for (const Address& address : addresses) texts.push_back(address.text());
  return join(texts, " and ");
}

}  // namespace

/// 0, or what the kernel says.
int Listener::add(const Address& address) {
  UniqueFd socket = open_socket(address.is_ipv4());
  if (!socket) return errno;
  socklen_t size = 0;
  const sockaddr_storage storage = address.socket_address(port_, size);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) return errno;
  if (::listen(socket.get(), kBacklog) != 0) return errno;
  port_ = port_of(socket.borrow());
  sockets_.push_back(std::move(socket));
  addresses_.push_back(address);
  return 0;
}

/// 0 when there is none. Where most are taken, one that is free there is found by asking there.
int Listener::free_port_at(const Address& address) {
  Listener listener;
  return listener.add(address) == 0 ? listener.port_ : 0;
}

Result<Listener> Listener::open(const std::vector<Address>& addresses, int port) {
  int error = 0;
  int number = port;
  for (int tries = 0; tries < kTries; ++tries) {
    Listener listener;
    listener.port_ = number;
    for (const Address& address : addresses) {
      error = listener.add(address);
      if (error == EADDRINUSE && port == 0) number = free_port_at(address);
      if (error != 0 && !is_not_there(error)) break;
      error = 0;
    }
    if (error == 0 && !listener.sockets_.empty()) return listener;
    if (error != EADDRINUSE || port != 0) break;
  }
  if (error == EADDRINUSE) return fail(taken_text(port));
  if (error == 0) error = EADDRNOTAVAIL;
  return fail(
      fmt::format("listening on {} port {}: {}", text_of(addresses), port, errno_text(error)));
}

void Listener::drop_waiting() const {
  for (const UniqueFd& socket : sockets_) {
    // Strangers that come all the time are not to keep us.
    for (int count = 0; count < kBacklog; ++count) {
      const Accepted::Result result = accept_from(socket.borrow()).result;
      if (result == Accepted::Result::kNobody || result == Accepted::Result::kNoRoom) break;
    }
  }
}

Accepted accept_from(BorrowedFd listening) {
  Accepted accepted;
  sockaddr_storage peer = {};
  socklen_t size = sizeof peer;
  accepted.socket = UniqueFd(posix::accept4(listening.get(), reinterpret_cast<sockaddr*>(&peer),
                                            &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (accepted.socket) {
    accepted.result = Accepted::Result::kConnection;
    accepted.address = Address::of(peer);
  } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
    accepted.result = Accepted::Result::kNoRoom;
  } else if (errno != EAGAIN) {
    accepted.result = Accepted::Result::kGone;
  }
  return accepted;
}

std::string taken_text(int port) {
  return port == 0 ? "no port is free" : fmt::format("port {} is taken", port);
}

int port_of(BorrowedFd socket) {
  sockaddr_in6 address = {};
  socklen_t size = sizeof address;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin6_port);  // at the same place in sockaddr_in
}

bool is_from_here(BorrowedFd connection, const Address& address) {
  sockaddr_storage own = {};
  socklen_t size = sizeof own;
  if (::getsockname(connection.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0) return false;
  return Address::of(own) == address;
}

}  // namespace trainit::sys
