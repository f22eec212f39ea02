#include "check/scratch_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>

#include "sys/files.h"
#include "sys/unique_fd.h"

namespace trainit::check {

std::string scratch_file_error(const std::string& directory) {
  std::string path = sys::join_path(directory, ".trainit-check-XXXXXX");
  const sys::UniqueFd file(::mkostemp(path.data(), O_CLOEXEC));
  if (!file) return sys::errno_text(errno);
  // A file system that is full takes the name, but not the byte.
  const ssize_t written = ::write(file.get(), "x", 1);
  const int error = errno;
  ::unlink(path.c_str());
  return written == 1 ? std::string() : sys::errno_text(error);
}

}  // namespace trainit::check
