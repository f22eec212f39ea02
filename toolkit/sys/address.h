#pragma once

#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trainit/result.h"

namespace trainit::sys {

/// An IP address. One of IPv4 is kept as IPv6 has it (::ffff:10.0.0.1) and is equal to it.
class Address {
 public:
  /// "10.0.0.1", "::1", "fe80::1"; and "localhost", which is 127.0.0.1. No other name is looked up.
  /// Error: it is none of these.
  static Result<Address> parse(std::string_view text);
  /// Of what the kernel tells of a socket; the unspecified address for another family.
  static Address of(const sockaddr_storage& socket);

  bool is_ipv4() const;
  bool is_loopback() const;
  /// "10.0.0.1", "::1".
  std::string text() const;
  /// For bind and connect; `size` is how much of it counts.
  sockaddr_storage socket_address(int port, socklen_t& size) const;

  bool operator==(const Address&) const = default;

 private:
  friend class AddressRange;
  std::array<std::uint8_t, 16> bytes_ = {};
};

/// All addresses that begin with the same bits.
class AddressRange {
 public:
  /// Just this one.
  explicit AddressRange(const Address& address) : first_(address) {}
  /// "10.0.0.0/8", "fd00::/8", or one address. "::/0" is all of IPv4 as well, and a range of IPv4
  /// is written as such: "::ffff:10.0.0.0/104" is an error.
  static Result<AddressRange> parse(std::string_view text);
  /// 127.0.0.0/8 and ::1.
  static std::vector<AddressRange> loopback();

  bool contains(const Address& address) const;

 private:
  Address first_;
  int bits_ = 128;
};

}  // namespace trainit::sys
