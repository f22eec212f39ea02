#include "job/directories.h"

#include "sys/files.h"

namespace trainit::job {

std::vector<std::string> writable_directories(const TrainingJob& job) {
  std::vector<std::string> directories = {job.paths.model, job.paths.output};
  if (!job.checkpoint_directory.empty()) directories.push_back(job.checkpoint_directory);
  return directories;
}

Result<void> prepare_directories(const TrainingJob& job) {
  for (const std::string& directory : writable_directories(job)) {
    TRAINIT_TRY(sys::make_directories(directory));
  }
  return sys::make_directories(job.paths.output_data);
}

}  // namespace trainit::job
