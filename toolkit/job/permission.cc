#include "job/permission.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace trainit::job {

bool may(const std::string& path, int access) {
  if (::faccessat(AT_FDCWD, path.c_str(), access, AT_EACCESS) == 0) return true;
  // Older seccomp profiles refuse the newer system call behind this. In a container the real user
  // is the effective one.
  return errno == EPERM && ::access(path.c_str(), access) == 0;
}

tl::unexpected<Error> no_permission(const std::string& path, std::string_view what) {
  struct stat status = {};
  const bool known = ::stat(path.c_str(), &status) == 0;
  return fail(fmt::format(
      "{}: uid {} cannot {} (mode {}, owner uid {}); start the container as root and name the "
      "workers' user with --user, or let the image's USER be root",
      path, ::geteuid(), what, known ? fmt::format("{:04o}", status.st_mode & 07777) : "unknown",
      known ? std::to_string(status.st_uid) : "unknown"));
}

}  // namespace trainit::job
