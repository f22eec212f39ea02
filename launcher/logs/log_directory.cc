#include "logs/log_directory.h"

#include <fcntl.h>

#include <cerrno>

#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::logs {
namespace {

Result<sys::UniqueFd> open_directory(const std::string& path) {
  sys::UniqueFd directory(posix::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail(sys::errno_text(errno));
  return directory;
}

}  // namespace

LogDirectory::LogDirectory(std::string path)
    : path_(std::move(path)), directory_(open_directory(path_)) {}

std::string LogDirectory::path_of(const std::string& name) const {
  return sys::join_path(path_, name);
}

Result<sys::UniqueFd> LogDirectory::open(const std::string& name) const {
  if (!directory_) return tl::unexpected(directory_.error());
  return sys::open_file(directory_->borrow(), name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW);
}

bool LogDirectory::rename(const std::string& from, const std::string& to) const {
  if (!directory_) return false;
  return posix::renameat(directory_->get(), from.c_str(), directory_->get(), to.c_str()) == 0;
}

}  // namespace trainit::logs
