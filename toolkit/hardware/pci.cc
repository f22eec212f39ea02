#include "hardware/pci.h"

#include "base/text.h"

namespace trainit::hardware {

std::string pci_address(std::string_view text) {
  constexpr std::size_t kDomain = 4;
  std::string address = to_lower_ascii(trim(text));
  const std::size_t domain = address.find(':');
  if (domain == std::string::npos) return address;
  // Domains may have more digits than four, but only where they need them.
  std::size_t zeros = 0;
  while (domain - zeros > kDomain && address[zeros] == '0') ++zeros;
  return address.substr(zeros);
}

}  // namespace trainit::hardware
