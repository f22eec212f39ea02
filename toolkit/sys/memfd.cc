#include "sys/memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "sys/files.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

namespace trainit::sys {
namespace {

int create(const char* name) {
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const int fd = ::memfd_create(name, flags | MFD_EXEC);
  // Kernels before 6.3 do not know MFD_EXEC, and every memfd is executable there.
  return fd < 0 && errno == EINVAL ? ::memfd_create(name, flags) : fd;
}

}  // namespace

Result<UniqueFd> program_in_memory(const char* name, std::string_view program) {
  UniqueFd fd(create(name));
  if (!fd) return fail("making a file in memory: " + errno_text(errno));
  if (const auto written = write_all(fd.borrow(), program); !written)
    return fail("writing a file in memory", written.error());
  const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (::fcntl(fd.get(), F_ADD_SEALS, seals) != 0)
    return fail("sealing a file in memory: " + errno_text(errno));
  return fd;
}

}  // namespace trainit::sys
