#pragma once

#include <vector>

#include "options.h"
#include "sys/address.h"

namespace trainit {

/// Whom our rendezvous store serves: this machine, and whom --store-allow names.
std::vector<sys::AddressRange> served_by_store(const Options& options);

/// Where it listens unless somebody says it: at the loopback interface alone; at every interface,
/// where others than this machine are to be served.
std::vector<sys::Address> store_addresses(const Options& options);

}  // namespace trainit
