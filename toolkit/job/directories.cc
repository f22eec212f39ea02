#include "job/directories.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>

#include "job/permission.h"
#include "sys/files.h"

namespace trainit::job {
namespace {

/// The innermost directory on the way to `path` that is there.
std::string nearest_directory(std::string path) {
  while (path.size() > 1 && !sys::exists(path))
    path.resize(std::max<std::size_t>(1, path.rfind('/')));
  return path;
}

/// As `mkdir -p`, with a sentence of its own for who may not.
Result<void> make_directory(const std::string& path) {
  const std::string nearest = nearest_directory(path);
  if (nearest != path && !may(nearest, W_OK | X_OK) && errno == EACCES)
    return no_permission(nearest, fmt::format("make {} there", path));
  return sys::make_directories(path);
}

}  // namespace

std::vector<std::string> writable_directories(const TrainingJob& job) {
  std::vector<std::string> directories = {job.paths.model, job.paths.output};
  if (!job.checkpoint_directory.empty()) directories.push_back(job.checkpoint_directory);
  return directories;
}

Result<void> prepare_directories(const TrainingJob& job) {
  for (const std::string& directory : writable_directories(job)) {
    TRAINIT_TRY(make_directory(directory));
  }
  TRAINIT_TRY(make_directory(job.paths.output_data));
  if (may(job.paths.output, W_OK | X_OK)) return {};
  if (errno == EACCES)
    return no_permission(job.paths.output, "write the success or failure file there");
  return fail(fmt::format("{}: no success or failure file can be written there: {}",
                          job.paths.output, sys::errno_text(errno)));
}

}  // namespace trainit::job
