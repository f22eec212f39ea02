#include "sys/address.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/un.h>

using namespace trainit::sys;

namespace {

Address parse(const char* text) {
  const auto address = Address::parse(text);
  REQUIRE_MESSAGE(address.has_value(), text);
  return *address;
}

bool is_in(const char* address, const char* range) {
  const auto parsed = AddressRange::parse(range);
  REQUIRE_MESSAGE(parsed.has_value(), range);
  return parsed->contains(parse(address));
}

std::string error_of(const char* range) {
  const auto parsed = AddressRange::parse(range);
  REQUIRE_MESSAGE(!parsed.has_value(), range);
  return parsed.error().message;
}

}  // namespace

TEST_CASE("an address is written as it is read, in its shortest form") {
  CHECK(parse("10.0.0.1").text() == "10.0.0.1");
  CHECK(parse("::1").text() == "::1");
  CHECK(parse("FD00:0:0:0:0:0:0:1").text() == "fd00::1");
  CHECK(parse("fe80::1").text() == "fe80::1");
  CHECK(parse("255.255.255.255").text() == "255.255.255.255");
  CHECK(parse("::").text() == "::");
}

TEST_CASE("an address of IPv4 is the same however it is spelt") {
  CHECK(parse("::ffff:10.0.0.1") == parse("10.0.0.1"));
  CHECK(parse("::ffff:10.0.0.1").text() == "10.0.0.1");
  CHECK(parse("::ffff:10.0.0.1").is_ipv4());
  CHECK(parse("10.0.0.1").is_ipv4());
  CHECK_FALSE(parse("::10.0.0.1").is_ipv4());
  CHECK_FALSE(parse("::10.0.0.1") == parse("10.0.0.1"));
  CHECK_FALSE(parse("::1").is_ipv4());
}

TEST_CASE("localhost is the one name that is known, and no other is looked up") {
  CHECK(parse("localhost") == parse("127.0.0.1"));
  for (const char* text :
       {"", "example.com", "Localhost", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1 ", " ::1",
        "[::1]", "::1%lo", "fe80::1%eth0", "12345::", ":", "1.2.3.4:80", "0x7f000001", "1::2::3"}) {
    CAPTURE(text);
    const auto address = Address::parse(text);
    REQUIRE_FALSE(address.has_value());
    CHECK(address.error().message ==
          "\"" + std::string(text) + "\" is no IP address such as 10.0.0.1 or fd00::1");
  }
}

TEST_CASE("a text that goes on behind a zero byte is no address") {
  CHECK_FALSE(Address::parse(std::string_view("::1\0.example", 12)).has_value());
}

TEST_CASE("loopback is all of 127.0.0.0/8, and ::1") {
  for (const char* text : {"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.5"}) {
    CAPTURE(text);
    CHECK(parse(text).is_loopback());
  }
  for (const char* text : {"126.255.255.255", "128.0.0.1", "::2", "::", "0.0.0.0", "fe80::1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse(text).is_loopback());
  }
}

TEST_CASE("an address becomes what bind takes, and comes back from what the kernel tells") {
  for (const char* text : {"10.1.2.3", "0.0.0.0", "fd00::1", "::"}) {
    CAPTURE(text);
    socklen_t size = 0;
    const sockaddr_storage socket = parse(text).socket_address(29500, size);
    CHECK(Address::of(socket) == parse(text));
    const bool ipv4 = parse(text).is_ipv4();
    CHECK(socket.ss_family == (ipv4 ? AF_INET : AF_INET6));
    CHECK(size == (ipv4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)));
    CHECK(reinterpret_cast<const sockaddr_in&>(socket).sin_port == htons(29500));
  }
}

TEST_CASE("a peer that came over IPv4 to a socket of IPv6 is the same peer") {
  sockaddr_storage storage = {};
  auto& ipv6 = reinterpret_cast<sockaddr_in6&>(storage);
  ipv6.sin6_family = AF_INET6;
  REQUIRE(::inet_pton(AF_INET6, "::ffff:10.9.8.7", &ipv6.sin6_addr) == 1);
  CHECK(Address::of(storage) == parse("10.9.8.7"));
}

TEST_CASE("a socket of another family has the unspecified address") {
  sockaddr_storage storage = {};
  storage.ss_family = AF_UNIX;
  std::fill_n(reinterpret_cast<sockaddr_un&>(storage).sun_path, 20, 'x');
  CHECK(Address::of(storage) == parse("::"));
}

TEST_CASE("a range holds what begins with the same bits, and nothing else") {
  CHECK(is_in("10.0.0.0", "10.0.0.0/8"));
  CHECK(is_in("10.255.255.255", "10.0.0.0/8"));
  CHECK_FALSE(is_in("11.0.0.0", "10.0.0.0/8"));
  CHECK_FALSE(is_in("9.255.255.255", "10.0.0.0/8"));
  CHECK(is_in("192.168.17.200", "192.168.16.0/20"));
  CHECK(is_in("192.168.31.255", "192.168.16.0/20"));
  CHECK_FALSE(is_in("192.168.32.0", "192.168.16.0/20"));
  CHECK_FALSE(is_in("192.168.15.255", "192.168.16.0/20"));
  CHECK(is_in("10.0.0.6", "10.0.0.7/31"));
  CHECK_FALSE(is_in("10.0.0.8", "10.0.0.7/31"));
  CHECK(is_in("fd00:1::", "fd00::/15"));
  CHECK_FALSE(is_in("fe00::", "fd00::/15"));
  CHECK(is_in("fdff::1", "fd00::/8"));
}

TEST_CASE("a range without a number of bits is one address") {
  CHECK(is_in("10.0.0.1", "10.0.0.1"));
  CHECK_FALSE(is_in("10.0.0.0", "10.0.0.1"));
  CHECK(is_in("10.0.0.1", "10.0.0.1/32"));
  CHECK_FALSE(is_in("10.0.0.0", "10.0.0.1/32"));
  CHECK(is_in("fd00::1", "fd00::1/128"));
  CHECK_FALSE(is_in("fd00::", "fd00::1/128"));
  CHECK(AddressRange(parse("::1")).contains(parse("::1")));
  CHECK_FALSE(AddressRange(parse("::1")).contains(parse("::")));
}

TEST_CASE("no bits are all addresses of the family, and of IPv6 those of IPv4 too") {
  CHECK(is_in("203.0.113.9", "0.0.0.0/0"));
  CHECK_FALSE(is_in("fd00::1", "0.0.0.0/0"));
  CHECK(is_in("fd00::1", "::/0"));
  CHECK(is_in("203.0.113.9", "::/0"));
}

TEST_CASE("a range of IPv4 holds such a peer however the kernel tells it") {
  CHECK(is_in("::ffff:10.2.3.4", "10.0.0.0/8"));
  CHECK_FALSE(is_in("10::", "10.0.0.0/8"));
}

TEST_CASE("a number of bits that the family does not have is said") {
  CHECK(error_of("10.0.0.0/33") ==
        "\"10.0.0.0/33\" is no range of addresses such as 10.0.0.0/8: the number of bits is from 0 "
        "to 32");
  CHECK(error_of("fd00::/129").ends_with("is from 0 to 128"));
  for (const char* text : {"10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/x", "10.0.0.0/ 8",
                           "10.0.0.0/8 ", "10.0.0.0/255.0.0.0"}) {
    CAPTURE(text);
    CHECK(error_of(text).find("the number of bits is from 0 to 32") != std::string::npos);
  }
  CHECK(error_of("example.com/8").find("\"example.com\" is no IP address") == 0);
  CHECK(error_of("/8").find("\"\" is no IP address") == 0);
}
