#pragma once

#include <optional>

#include "sys/process.h"
#include "sys/unique_fd.h"

namespace trainit::logs {

/// The pipes that carry one worker's output to us. All ends are close-on-exec; ours do not block.
struct WorkerPipes {
  sys::UniqueFd stdout_reader, stderr_reader;  ///< ours
  sys::UniqueFd stdout_writer, stderr_writer;  ///< the worker's; we keep none once it is started
  int owner_error = 0;  ///< an errno value: why they do not belong to the worker's user
};

/// `user` becomes the owner, so that a worker that runs as that user can open /dev/stdout again;
/// without the right to do that they are as good for everything else.
/// To make them is the first stage of starting a worker, and its error is that stage's.
tl::expected<WorkerPipes, sys::SpawnError> make_worker_pipes(
    const std::optional<sys::Credentials>& user);

}  // namespace trainit::logs
