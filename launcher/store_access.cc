#include "store_access.h"

#include "sys/interface.h"

namespace trainit {

std::vector<sys::AddressRange> served_by_store(const Options& options,
                                               const std::vector<sys::Address>& hosts) {
  std::vector<sys::AddressRange> served = sys::AddressRange::loopback();
  served.insert(served.end(), options.store_allow.begin(), options.store_allow.end());
  for (const sys::Address& host : hosts) served.emplace_back(host);
  return served;
}

std::vector<sys::Address> store_addresses(const Options& options) {
  if (!options.store_allow.empty()) return any_address();
  return {*sys::Address::parse("127.0.0.1"), *sys::Address::parse("::1")};
}

std::vector<sys::Address> any_address() {
  return {*sys::Address::parse("0.0.0.0"), *sys::Address::parse("::")};
}

std::vector<sys::Address> addresses_for_hosts(const std::string& interface) {
  std::vector<sys::Address> addresses = sys::addresses_of_interface(interface);
  if (addresses.empty()) return any_address();
  addresses.push_back(*sys::Address::parse("127.0.0.1"));
  addresses.push_back(*sys::Address::parse("::1"));
  return addresses;
}

}  // namespace trainit
