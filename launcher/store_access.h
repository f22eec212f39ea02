#pragma once

#include <vector>

#include "options.h"
#include "sys/address.h"

namespace trainit {

/// Whom our rendezvous store serves: this machine, the `hosts` of the job, and whom --store-allow
/// names.
std::vector<sys::AddressRange> served_by_store(const Options& options,
                                               const std::vector<sys::Address>& hosts = {});

/// Where it listens unless somebody says it: at the loopback interface alone; at every interface,
/// where others than this machine and the job's hosts are to be served.
std::vector<sys::Address> store_addresses(const Options& options);

/// Every address of this machine, of IPv4 and IPv6.
std::vector<sys::Address> any_address();

/// Where the leader listens for the other hosts: at the interface that the platform names, and at
/// the loopback interface; everywhere, where there is no such interface.
std::vector<sys::Address> addresses_for_hosts(const std::string& interface);

}  // namespace trainit
