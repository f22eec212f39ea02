#pragma once

#include <string_view>
#include <vector>

#include "sys/address.h"

namespace trainit::sys {

/// The addresses of a network interface of this machine that other hosts can reach, those of IPv4
/// first: none of a link alone. Empty: there is no such interface, or it has none.
std::vector<Address> addresses_of_interface(std::string_view name);

}  // namespace trainit::sys
