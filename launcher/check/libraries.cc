#include "check/libraries.h"

#include <sys/stat.h>

#include <set>
#include <utility>

#include "base/text.h"
#include "sys/files.h"

namespace trainit::check {
namespace {

constexpr const char* kUsualPlaces[] = {
    "/usr/local/cuda/lib64",
    "/opt/amazon/ofi-nccl/lib",
    "/opt/amazon/ofi-nccl/lib/x86_64-linux-gnu",
    "/opt/amazon/ofi-nccl/lib/aarch64-linux-gnu",
    "/opt/aws-ofi-nccl/lib",
    "/opt/amazon/efa/lib",
    "/opt/amazon/efa/lib64",
    "/opt/conda/lib",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
};

/// The same directory under two names counts once.
using Identity = std::pair<dev_t, ino_t>;
bool is_new(const std::string& path, std::set<Identity>& seen) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && seen.emplace(status.st_dev, status.st_ino).second;
}

}  // namespace

std::vector<std::string> library_directories(const Environment& environment,
                                             const std::string& image) {
  std::vector<std::string> candidates;
  const std::string own = environment.get_or("LD_LIBRARY_PATH", "");
  for (const std::string_view entry : split(own, ':')) {
    if (!entry.empty()) candidates.emplace_back(entry);
  }
  for (const char* place : kUsualPlaces) candidates.push_back(image + place);
  std::vector<std::string> directories;
  std::set<Identity> seen;
  for (std::string& path : candidates) {
    if (sys::is_directory(path) && is_new(path, seen)) directories.push_back(std::move(path));
  }
  return directories;
}

std::vector<std::string> find_libraries(const std::vector<std::string>& directories,
                                        const std::vector<std::string>& names) {
  std::vector<std::string> found;
  std::set<Identity> seen;
  for (const std::string& directory : directories) {
    for (const std::string& name : names) {
      std::string path = sys::join_path(directory, name);
      if (is_new(path, seen)) found.push_back(std::move(path));
    }
  }
  return found;
}

}  // namespace trainit::check
