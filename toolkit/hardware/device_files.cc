#include "hardware/device_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "hardware/pci.h"
#include "sys/capture.h"
#include "sys/files.h"
#include "sys/unique_fd.h"

namespace trainit::hardware {
namespace {

constexpr int kDeadlineMilliseconds = 1000;

std::vector<std::string> names_in(const std::string& directory) {
  return sys::list_directory(directory).value_or(std::vector<std::string>());
}

/// 3 for "nvidia3"; nothing for "nvidiactl" and the like.
std::optional<int> minor_of(std::string_view name) {
  constexpr std::string_view kPrefix = "nvidia";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  if (name.empty() || name[0] < '0' || name[0] > '9') return std::nullopt;
  return parse_number<int>(name);
}

/// A container's device rules show only when a device is opened, not in the file's mode. Drivers
/// that know O_NONBLOCK do not wait for a sleeping GPU then.
bool opens(const std::string& path) {
  return sys::UniqueFd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY))
      .
      operator bool();
}

/// Which of these open, one character each.
Result<std::string> try_to_open(const std::vector<std::string>& paths,
                                const sys::StopSignals& stops) {
  if (paths.empty()) return std::string();
  const auto open_each = [&paths](sys::BorrowedFd output) {
    for (const std::string& path : paths) {
      [[maybe_unused]] const ssize_t told = ::write(output.get(), opens(path) ? "y" : "n", 1);
    }
  };
  return sys::run_forked("opening " + paths[0], open_each, {kDeadlineMilliseconds, stops});
}

/// What /proc/driver/nvidia/gpus/ADDRESS/information says: "Model: \t NVIDIA L4", "GPU UUID: …",
/// "Device Minor: \t 0".
struct Information {
  int minor = -1;
  std::string name, uuid, pci;
};

Information read_information(const std::string& path, std::string pci) {
  Information information;
  information.pci = std::move(pci);
  const auto text = sys::read_file(path);
  if (!text) return information;
  for (const std::string_view line : split(*text, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = trim(line.substr(0, colon));
    const std::string_view value = trim(line.substr(colon + 1));
    if (key == "Model") information.name = value;
    // Until the GPU is first used, its UUID is question marks.
    if (key == "GPU UUID" && value.find('?') == std::string_view::npos) information.uuid = value;
    if (key == "Device Minor") information.minor = parse_number<int>(value).value_or(-1);
  }
  return information;
}

std::vector<Information> all_information(const SystemRoots& roots) {
  const std::string directory = roots.proc + "/driver/nvidia/gpus/";
  std::vector<Information> all;
  for (const std::string& pci : names_in(directory)) {
    all.push_back(read_information(directory + pci + "/information", pci_address(pci)));
  }
  return all;
}

Gpu gpu_of(int minor, const std::vector<Information>& all) {
  Gpu gpu;
  gpu.index = minor;
  const auto information =
      std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.minor == minor; });
  if (information == all.end()) return gpu;
  gpu.name = information->name;
  gpu.uuid = information->uuid;
  gpu.pci = information->pci;
  return gpu;
}

bool is_version(std::string_view word) {
  return word.find('.') != std::string_view::npos &&
         word.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

bool has_nvidia_device(const SystemRoots& roots) {
  return sys::any_name_in(roots.dev, [](std::string_view name) {
    return minor_of(name) || name == "nvidiactl" || name == "dxg" || name == "nvhost-gpu" ||
           name == "nvgpu" || name == "nvmap";
  });
}

bool has_nvidia_module(const SystemRoots& roots) {
  return sys::is_directory(roots.proc + "/driver/nvidia");
}

Result<std::vector<Gpu>> gpus_by_device_files(const SystemRoots& roots,
                                              const sys::StopSignals& stops) {
  std::vector<int> minors;
  std::vector<std::string> paths;
  for (const std::string& name : names_in(roots.dev)) {
    const auto minor = minor_of(name);
    if (!minor) continue;
    minors.push_back(*minor);
    paths.push_back(roots.dev + '/' + name);
  }
  const std::string open = TRAINIT_TRY(try_to_open(paths, stops));
  const auto all = all_information(roots);
  std::vector<Gpu> gpus;
  for (std::size_t i = 0; i < open.size(); ++i) {
    if (open[i] == 'y') gpus.push_back(gpu_of(minors[i], all));
  }
  std::sort(gpus.begin(), gpus.end(), [](const Gpu& a, const Gpu& b) {
    return a.pci != b.pci ? a.pci < b.pci : a.index < b.index;
  });
  for (std::size_t i = 0; i < gpus.size(); ++i) gpus[i].index = static_cast<int>(i);
  return gpus;
}

int mig_instances_in_proc(const SystemRoots& roots) {
  const std::string capabilities = roots.proc + "/driver/nvidia/capabilities/";
  std::ptrdiff_t count = 0;
  for (const std::string& gpu : names_in(capabilities)) {
    const auto entries = names_in(capabilities + gpu + "/mig");
    count += std::count_if(entries.begin(), entries.end(),
                           [](const std::string& entry) { return entry.starts_with("gi"); });
  }
  return static_cast<int>(count);
}

std::string version_of_nvidia_module(const SystemRoots& roots) {
  std::string version = sys::read_line(roots.sys + "/module/nvidia/version");
  if (!version.empty()) return version;
  // "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build …"
  const std::string table = sys::read_line(roots.proc + "/driver/nvidia/version");
  for (const std::string_view word : split(split(table, '\n')[0], ' ')) {
    if (is_version(word)) return std::string(word);
  }
  return {};
}

}  // namespace trainit::hardware
