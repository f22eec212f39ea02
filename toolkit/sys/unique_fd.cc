#include "sys/unique_fd.h"

#include <cerrno>

#include "sys/posix.h"

namespace trainit::sys {

void UniqueFd::reset(int fd) {
  const int old = std::exchange(fd_, fd);
  if (old < 0) return;
  const int saved_errno = errno;
  posix::close(old);
  errno = saved_errno;
}

}  // namespace trainit::sys
