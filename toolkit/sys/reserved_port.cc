#include "sys/reserved_port.h"

#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "sys/files.h"

namespace trainit::sys {
namespace {

UniqueFd open_socket(int family) {
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return socket;
  const int on = 1, off = 0;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  return socket;
}

bool bind_to(const UniqueFd& socket, int family, int port) {
  if (family == AF_INET6) {
    sockaddr_in6 address = {};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<std::uint16_t>(port));
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

int bound_port(const UniqueFd& socket) {
  sockaddr_in6 address = {};
  socklen_t size = sizeof address;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin6_port);  // at the same place in sockaddr_in
}

}  // namespace

Result<ReservedPort> ReservedPort::reserve(int port) {
  for (const int family : {AF_INET6, AF_INET}) {
    UniqueFd socket = open_socket(family);
    if (!socket) continue;
    if (bind_to(socket, family, port)) {
      const int number = bound_port(socket);
      return ReservedPort(std::move(socket), number);
    }
    if (errno == EADDRINUSE)
      return fail(fmt::format(
          "port {} is taken: choose another with --master-port, or 0 for a free one", port));
  }
  return fail(fmt::format("reserving a port for the workers: {}", errno_text(errno)));
}

}  // namespace trainit::sys
