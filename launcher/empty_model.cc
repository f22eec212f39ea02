#include "empty_model.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <utility>
#include <vector>

#include "sys/files.h"
#include "sys/posix.h"

namespace trainit {
namespace {

/// A link is something itself, wherever it leads.
bool is_directory_itself(const std::string& path) {
  struct stat status = {};
  return posix::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// Whether there may be anything but directories in this one and below: what cannot be read may
/// hold something.
bool may_hold_file(const std::string& directory) {
  constexpr std::size_t kMostDirectories = 1000;  // there is no time to look at more
  std::vector<std::string> directories = {directory};
  for (std::size_t next = 0; next < directories.size(); ++next) {
    const auto names = sys::list_directory(directories[next]);
    if (!names || directories.size() > kMostDirectories) return true;
    for (const std::string& name : *names) {
      std::string path = sys::join_path(directories[next], name);
      if (!is_directory_itself(path)) return true;
      directories.push_back(std::move(path));
    }
  }
  return false;
}

/// What is wrong with the model directory; null: nothing.
const char* flaw_of(const std::string& model) {
  if (!sys::exists(model)) return "is not there";
  if (!sys::is_directory(model)) return "is no directory";
  return may_hold_file(model) ? nullptr : "is empty";
}

}  // namespace

std::string empty_model_text(const Paths& paths, const Cluster& cluster) {
  if (cluster.host_rank != 0) return {};
  const char* flaw = flaw_of(paths.model);
  if (flaw == nullptr) return {};
  const std::string who = cluster.host_count() == 1
                              ? std::string("the job")
                              : cluster.current_host + ", which leads the job,";
  return fmt::format("{} {}: {} leaves no model behind", paths.model, flaw, who);
}

}  // namespace trainit
