#include "sys/interface.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>

namespace trainit::sys {
namespace {

/// The unspecified address for what is none, or for one of the link alone.
Address address_of(const sockaddr* socket) {
  sockaddr_storage storage = {};
  if (socket == nullptr) return Address();
  if (socket->sa_family == AF_INET) {
    std::memcpy(&storage, socket, sizeof(sockaddr_in));
  } else if (socket->sa_family == AF_INET6) {
    std::memcpy(&storage, socket, sizeof(sockaddr_in6));
    const auto& six = reinterpret_cast<const sockaddr_in6&>(storage);
    if (IN6_IS_ADDR_LINKLOCAL(&six.sin6_addr)) return Address();
  }
  return Address::of(storage);
}

}  // namespace

std::vector<Address> addresses_of_interface(std::string_view name) {
  std::vector<Address> addresses, of_ipv6;
  // By netlink: getifaddrs asks the kernel, and looks nothing up.
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return addresses;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_name != name) continue;
    const Address address = address_of(one->ifa_addr);
    if (address == Address()) continue;
    (address.is_ipv4() ? addresses : of_ipv6).push_back(address);
  }
  addresses.insert(addresses.end(), of_ipv6.begin(), of_ipv6.end());
  return addresses;
}

}  // namespace trainit::sys
