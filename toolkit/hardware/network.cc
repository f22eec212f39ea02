#include "hardware/network.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

#include "sys/files.h"
#include "sys/unique_fd.h"

namespace trainit::hardware {
namespace {

constexpr std::string_view kAmazon = "0x1d0f";  // PCI vendor

NetworkInterface with_flags(std::string name, unsigned flags) {
  return NetworkInterface{std::move(name), (flags & IFF_UP) != 0, (flags & IFF_LOOPBACK) != 0};
}

unsigned flags_by_ioctl(int socket, const char* name) {
  ifreq request = {};
  std::strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
  if (::ioctl(socket, SIOCGIFFLAGS, &request) != 0) return 0;
  return static_cast<unsigned short>(request.ifr_flags);
}

/// "0x1003" → 0x1003
unsigned parse_hexadecimal(std::string_view text) {
  unsigned value = 0;
  if (text.starts_with("0x")) text.remove_prefix(2);
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

void sort_by_name(std::vector<NetworkInterface>& interfaces) {
  std::sort(interfaces.begin(), interfaces.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
}

}  // namespace

std::vector<NetworkInterface> interfaces_of_kernel() {
  std::vector<NetworkInterface> interfaces;
  const std::unique_ptr<struct if_nameindex, void (*)(struct if_nameindex*)> names(
      ::if_nameindex(), ::if_freenameindex);
  const sys::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (names == nullptr) return interfaces;
  for (const auto* entry = names.get(); entry->if_name != nullptr; ++entry) {
    interfaces.push_back(with_flags(entry->if_name, flags_by_ioctl(socket.get(), entry->if_name)));
  }
  sort_by_name(interfaces);
  return interfaces;
}

std::vector<NetworkInterface> interfaces_of_sysfs(const SystemRoots& roots) {
  std::vector<NetworkInterface> interfaces;
  const std::string directory = roots.sys + "/class/net/";
  const auto names = sys::list_directory(directory);
  if (!names) return interfaces;
  for (const std::string& name : *names) {
    // The bonding driver keeps a file among the interfaces.
    if (!sys::is_directory(directory + name)) continue;
    const std::string flags = sys::read_line(directory + name + "/flags");
    interfaces.push_back(with_flags(name, parse_hexadecimal(flags)));
  }
  return interfaces;
}

std::vector<NetworkInterface> network_interfaces(const SystemRoots& roots) {
  // Not /sys first: it shows the namespace that it was mounted in, which may be another one.
  auto interfaces = interfaces_of_kernel();
  return interfaces.empty() ? interfaces_of_sysfs(roots) : interfaces;
}

int count_efa_devices(const SystemRoots& roots) {
  const std::string directory = roots.sys + "/class/infiniband/";
  const auto names = sys::list_directory(directory);
  if (!names) return 0;
  return static_cast<int>(std::count_if(names->begin(), names->end(), [&](const auto& name) {
    return sys::read_line(directory + name + "/device/vendor") == kAmazon;
  }));
}

}  // namespace trainit::hardware
