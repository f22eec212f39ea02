#pragma once

#include <string>
#include <string_view>

namespace trainit::hardware {

/// "0000:3b:00.0" of "00000000:3B:00.0": as Linux writes a PCI address, whoever wrote this one.
std::string pci_address(std::string_view text);

}  // namespace trainit::hardware
