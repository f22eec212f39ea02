#include "store_access.h"

namespace trainit {

std::vector<sys::AddressRange> served_by_store(const Options& options) {
  std::vector<sys::AddressRange> served = sys::AddressRange::loopback();
  served.insert(served.end(), options.store_allow.begin(), options.store_allow.end());
  return served;
}

std::vector<sys::Address> store_addresses(const Options& options) {
  const bool alone = options.store_allow.empty();
  return {*sys::Address::parse(alone ? "127.0.0.1" : "0.0.0.0"),
          *sys::Address::parse(alone ? "::1" : "::")};
}

}  // namespace trainit
