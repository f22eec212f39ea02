#include "logs/worker_pipes.h"

#include <cerrno>

#include "sys/posix.h"

namespace trainit::logs {
namespace {

// Enough for two of our reads, so that a worker writes on while we do too. The kernel lets an
// unprivileged user have 64 MiB in all his pipes before it makes every further one tiny: 128
// workers of this.
constexpr int kPipeBytes = 256 * 1024;

bool make_pipe(sys::UniqueFd& reader, sys::UniqueFd& writer) {
  int ends[2];
  if (posix::pipe2(ends, O_CLOEXEC) != 0) return false;
  reader.reset(ends[0]);
  writer.reset(ends[1]);
  posix::fcntl(ends[0], F_SETPIPE_SZ, kPipeBytes);  // a refusal leaves the usual 64 KiB
  return posix::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

}  // namespace

tl::expected<WorkerPipes, sys::SpawnError> make_worker_pipes(
    const std::optional<sys::Credentials>& user) {
  WorkerPipes pipes;
  if (!make_pipe(pipes.stdout_reader, pipes.stdout_writer) ||
      !make_pipe(pipes.stderr_reader, pipes.stderr_writer)) {
    return tl::unexpected(sys::SpawnError{sys::SpawnStage::kPipes, errno});
  }
  if (!user) return pipes;
  for (const sys::UniqueFd* writer : {&pipes.stdout_writer, &pipes.stderr_writer}) {
    if (posix::fchown(writer->get(), user->uid, user->gid) != 0) pipes.owner_error = errno;
  }
  return pipes;
}

}  // namespace trainit::logs
