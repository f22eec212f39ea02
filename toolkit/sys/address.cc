#include "sys/address.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace trainit::sys {
namespace {

constexpr std::uint8_t kIpv4Begin[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kIpv4BeginBits = 96;

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  std::string name(text == "localhost" ? "127.0.0.1" : text);
  if (name.find('\0') != std::string::npos) name.clear();  // inet_pton would read no further
  Address address;
  if (::inet_pton(AF_INET6, name.c_str(), address.bytes_.data()) == 1) return address;
  std::copy(std::begin(kIpv4Begin), std::end(kIpv4Begin), address.bytes_.begin());
  if (::inet_pton(AF_INET, name.c_str(), &address.bytes_[sizeof kIpv4Begin]) == 1) return address;
  return fail(fmt::format("\"{}\" is no IP address such as 10.0.0.1 or fd00::1", text));
}

Address Address::of(const sockaddr_storage& socket) {
  Address address;
  if (socket.ss_family == AF_INET6) {
    const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(socket);
    std::memcpy(address.bytes_.data(), &ipv6.sin6_addr, sizeof ipv6.sin6_addr);
  } else if (socket.ss_family == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(socket);
    std::copy(std::begin(kIpv4Begin), std::end(kIpv4Begin), address.bytes_.begin());
    std::memcpy(&address.bytes_[sizeof kIpv4Begin], &ipv4.sin_addr, sizeof ipv4.sin_addr);
  }
  return address;
}

bool Address::is_ipv4() const {
  return std::equal(std::begin(kIpv4Begin), std::end(kIpv4Begin), bytes_.begin());
}

bool Address::is_loopback() const {
  static const std::vector<AddressRange> ranges = AddressRange::loopback();
  return std::any_of(ranges.begin(), ranges.end(),
                     [this](const AddressRange& range) { return range.contains(*this); });
}

std::string Address::text() const {
  char text[INET6_ADDRSTRLEN] = {};
  if (is_ipv4()) {
    ::inet_ntop(AF_INET, &bytes_[sizeof kIpv4Begin], text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, bytes_.data(), text, sizeof text);
  }
  return text;
}

sockaddr_storage Address::socket_address(int port, socklen_t& size) const {
  sockaddr_storage storage = {};
  if (is_ipv4()) {
    auto& ipv4 = reinterpret_cast<sockaddr_in&>(storage);
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(static_cast<std::uint16_t>(port));
    std::memcpy(&ipv4.sin_addr, &bytes_[sizeof kIpv4Begin], sizeof ipv4.sin_addr);
    size = sizeof ipv4;
  } else {
    auto& ipv6 = reinterpret_cast<sockaddr_in6&>(storage);
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(static_cast<std::uint16_t>(port));
    std::memcpy(&ipv6.sin6_addr, bytes_.data(), sizeof ipv6.sin6_addr);
    size = sizeof ipv6;
  }
  return storage;
}

Result<AddressRange> AddressRange::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = Address::parse(text.substr(0, slash));
  if (!address) return tl::unexpected(address.error());
  AddressRange range(*address);
  if (slash == std::string_view::npos) return range;
  const int most = address->is_ipv4() ? 32 : 128;
  const auto bits = parse_number<int>(text.substr(slash + 1));
  if (!bits || *bits < 0 || *bits > most) {
    return fail(
        fmt::format("\"{}\" is no range of addresses such as 10.0.0.0/8: the number of "
                    "bits is from 0 to {}",
                    text, most));
  }
  range.bits_ = address->is_ipv4() ? kIpv4BeginBits + *bits : *bits;
  return range;
}

std::vector<AddressRange> AddressRange::loopback() {
  return {*parse("127.0.0.0/8"), *parse("::1")};
}

bool AddressRange::contains(const Address& address) const {
  const std::size_t whole = static_cast<std::size_t>(bits_) / 8;
  if (!std::equal(first_.bytes_.begin(), first_.bytes_.begin() + whole, address.bytes_.begin()))
    return false;
  const int left = bits_ % 8;
  return left == 0 || (first_.bytes_[whole] ^ address.bytes_[whole]) >> (8 - left) == 0;
}

}  // namespace trainit::sys
