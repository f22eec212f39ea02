#include "hardware/pci.h"

#include <doctest/doctest.h>

using namespace trainit::hardware;

TEST_CASE("a PCI address is written as Linux writes it") {
  CHECK(pci_address("00000000:3B:00.0") == "0000:3b:00.0");
  CHECK(pci_address("0000:3b:00.0") == "0000:3b:00.0");
  CHECK(pci_address("00010000:3B:00.0") == "10000:3b:00.0");
  CHECK(pci_address("10000000:00:00.0") == "10000000:00:00.0");
  CHECK(pci_address("") == "");
  CHECK(pci_address("00000") == "00000");
}
