#include "hardware/network.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

#include "base/text.h"
#include "sys/files.h"
#include "sys/unique_fd.h"

namespace trainit::hardware {
namespace {

constexpr std::string_view kAmazon = "0x1d0f";  // PCI vendor

unsigned flags_of(const std::string& name, sys::BorrowedFd socket) {
  ifreq request = {};
  name.copy(request.ifr_name, sizeof request.ifr_name - 1);
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return 0;
  return static_cast<unsigned short>(request.ifr_flags);
}

}  // namespace

std::vector<std::string> interface_names_of_proc(const SystemRoots& roots) {
  std::vector<std::string> names;
  const auto table = sys::read_file(roots.proc + "/net/dev");
  if (!table) return names;
  for (const std::string_view line : split(*table, '\n')) {
    const std::size_t colon = line.find(':');  // the two lines of headings have none
    if (colon != std::string_view::npos) names.emplace_back(trim(line.substr(0, colon)));
  }
  return names;
}

std::vector<std::string> interface_names_of_kernel() {
  std::vector<std::string> names;
  const std::unique_ptr<struct if_nameindex, void (*)(struct if_nameindex*)> told(
      ::if_nameindex(), ::if_freenameindex);
  if (told == nullptr) return names;
  for (const auto* entry = told.get(); entry->if_name != nullptr; ++entry)
    names.emplace_back(entry->if_name);
  return names;
}

std::vector<NetworkInterface> network_interfaces(const SystemRoots& roots) {
  std::vector<std::string> names = interface_names_of_proc(roots);
  if (names.empty()) names = interface_names_of_kernel();
  std::sort(names.begin(), names.end());
  const sys::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::vector<NetworkInterface> interfaces;
  for (std::string& name : names) {
    const unsigned flags = flags_of(name, socket.borrow());
    interfaces.push_back({std::move(name), (flags & IFF_UP) != 0, (flags & IFF_LOOPBACK) != 0});
  }
  return interfaces;
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
