#include "sys/reserved_port.h"

#include <fmt/core.h>
#include <sys/socket.h>

#include <cerrno>

#include "sys/address.h"
#include "sys/files.h"
#include "sys/listener.h"

namespace trainit::sys {
namespace {

UniqueFd open_socket(bool ipv4) {
  UniqueFd socket(::socket(ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return socket;
  const int on = 1, off = 0;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!ipv4) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  return socket;
}

}  // namespace

Result<ReservedPort> ReservedPort::reserve(int port) {
  for (const char* any : {"::", "0.0.0.0"}) {
    const Address address = TRAINIT_TRY(Address::parse(any));
    UniqueFd socket = open_socket(address.is_ipv4());
    if (!socket) continue;
    socklen_t size = 0;
    const sockaddr_storage storage = address.socket_address(port, size);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) == 0) {
      const int number = port_of(socket.borrow());
      return ReservedPort(std::move(socket), number);
    }
    if (errno == EADDRINUSE) return fail(taken_text(port));
  }
  return fail(fmt::format("reserving port {}: {}", port, errno_text(errno)));
}

}  // namespace trainit::sys
