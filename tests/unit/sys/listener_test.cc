#include "sys/listener.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "sys/capture.h"
#include "sys/files.h"

using namespace trainit::sys;

namespace {

const Address kIpv4 = *Address::parse("127.0.0.1");
const Address kIpv6 = *Address::parse("::1");
/// Set aside for documents (RFC 5737, RFC 3849), and no address of this machine.
const Address kNowhere = *Address::parse("198.51.100.1");
const Address kNowhere6 = *Address::parse("2001:db8:ffff::1");

Listener open(const std::vector<Address>& addresses, int port = 0) {
  auto listener = Listener::open(addresses, port);
  REQUIRE_MESSAGE(listener.has_value(), (listener ? "" : listener.error().message));
  return std::move(*listener);
}

UniqueFd connect_to(const Address& address, int port) {
  UniqueFd socket(::socket(address.is_ipv4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(socket);
  socklen_t size = 0;
  const sockaddr_storage storage = address.socket_address(port, size);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0)
    socket.reset();
  return socket;
}

UniqueFd accept_from(const UniqueFd& socket) {
  pollfd ready{socket.get(), POLLIN, 0};
  REQUIRE(::poll(&ready, 1, 20'000) == 1);
  return UniqueFd(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

std::string error_of(const std::vector<Address>& addresses, int port) {
  const auto listener = Listener::open(addresses, port);
  REQUIRE_FALSE(listener.has_value());
  return listener.error().message;
}

/// In a network of its own, with so few ports that nearly all of IPv4 can be taken.
void listen_where_one_port_is_left(BorrowedFd output) {
  if (::unshare(CLONE_NEWNET) != 0) ::_exit(3);
  const UniqueFd range(::open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY | O_CLOEXEC));
  if (!write_all(range.borrow(), "40000 40099")) ::_exit(4);
  std::vector<UniqueFd> taken;
  for (int port = 40000; port < 40100; ++port) {
    if (port == 40042) continue;
    taken.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    socklen_t size = 0;
    const sockaddr_storage storage = Address::parse("0.0.0.0")->socket_address(port, size);
    if (::bind(taken.back().get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0)
      ::_exit(5);
  }
  const auto listener = Listener::open({*Address::parse("::"), *Address::parse("0.0.0.0")}, 0);
  const std::string told = listener ? std::to_string(listener->port()) : listener.error().message;
  static_cast<void>(write_all(output, told));
}

}  // namespace

TEST_CASE("a free port is the same at both loopback addresses, and both take connections") {
  const Listener listener = open({kIpv4, kIpv6});
  REQUIRE(listener.sockets().size() == 2);
  CHECK(listener.addresses() == std::vector{kIpv4, kIpv6});
  CHECK(listener.port() > 0);
  for (std::size_t index = 0; index < 2; ++index) {
    const UniqueFd client = connect_to(listener.addresses()[index], listener.port());
    REQUIRE(client);
    CHECK(accept_from(listener.sockets()[index]));
  }
}

TEST_CASE("connections queue before anybody accepts them") {
  const Listener listener = open({kIpv4});
  std::vector<UniqueFd> clients;
  for (int index = 0; index < 50; ++index) {
    clients.push_back(connect_to(kIpv4, listener.port()));
    REQUIRE(clients.back());
  }
  for (int index = 0; index < 50; ++index) CHECK(accept_from(listener.sockets()[0]));
}

TEST_CASE("who waits and is dropped is gone, and who comes after it is taken") {
  const Listener listener = open({kIpv4, kIpv6});
  const UniqueFd early = connect_to(kIpv4, listener.port()),
                 early6 = connect_to(kIpv6, listener.port());
  REQUIRE(early);
  REQUIRE(early6);
  listener.drop_waiting();
  char byte = 0;
  CHECK(::recv(early.get(), &byte, 1, 0) <= 0);
  CHECK(::recv(early6.get(), &byte, 1, 0) <= 0);
  CHECK(::accept4(listener.sockets()[0].get(), nullptr, nullptr, SOCK_CLOEXEC) == -1);
  const UniqueFd late = connect_to(kIpv4, listener.port());
  REQUIRE(late);
  CHECK(accept_from(listener.sockets()[0]));
}

TEST_CASE("the sockets neither block nor reach a program that is started") {
  const Listener listener = open({kIpv4, kIpv6});
  for (const UniqueFd& socket : listener.sockets()) {
    CHECK((::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC) == -1);
    CHECK(errno == EAGAIN);
  }
}

TEST_CASE("an address that this machine does not have is left out") {
  const Listener listener = open({kNowhere, kIpv4, kNowhere6});
  CHECK(listener.addresses() == std::vector{kIpv4});
  CHECK(listener.sockets().size() == 1);
  CHECK(connect_to(kIpv4, listener.port()));
}

TEST_CASE("no address that this machine has is an error that names them all") {
  CHECK(error_of({kNowhere, kNowhere6}, 29500) ==
        "listening on 198.51.100.1 and 2001:db8:ffff::1 port 29500: Cannot assign requested "
        "address (EADDRNOTAVAIL)");
  CHECK_FALSE(Listener::open({}, 0).has_value());
}

TEST_CASE("a port that is taken at one of the addresses is taken") {
  const Listener first = open({kIpv6});
  CHECK(error_of({kIpv4, kIpv6}, first.port()) ==
        "port " + std::to_string(first.port()) + " is taken");
  // What had been opened at the other address before is free again.
  CHECK(open({kIpv4}, first.port()).port() == first.port());
}

TEST_CASE(
    "the port is free for the next as soon as it is closed, whatever connections there were") {
  int port = 0;
  {
    const Listener listener = open({kIpv4});
    port = listener.port();
    const UniqueFd client = connect_to(kIpv4, port);
    REQUIRE(client);
    accept_from(listener.sockets()[0]).reset();  // whoever closes first keeps it in TIME_WAIT
  }
  CHECK(open({kIpv4}, port).port() == port);
}

TEST_CASE("a port that is free at both addresses is found where most are taken at one") {
  if (::geteuid() != 0) return;
  CHECK(run_forked("test", listen_where_one_port_is_left, 20'000).value_or("") == "40042");
}

TEST_CASE("all addresses of IPv6 and all of IPv4 can be listened on side by side") {
  const Listener listener = open({*Address::parse("::"), *Address::parse("0.0.0.0")});
  REQUIRE(listener.sockets().size() == 2);
  REQUIRE(connect_to(kIpv4, listener.port()));
  CHECK(accept_from(listener.sockets()[1]));
  REQUIRE(connect_to(kIpv6, listener.port()));
  CHECK(accept_from(listener.sockets()[0]));
}
