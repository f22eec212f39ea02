#include "error_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include "plan/worker_defaults.h"
#include "sys/files.h"
#include "sys/posix.h"
#include "sys/users.h"

namespace trainit {
namespace {

constexpr std::size_t kLongest = 1 << 20;
/// Directories within each other that are removed: each holds a descriptor until it is empty.
constexpr int kDeepest = 32;

/// What is in a directory, as far as it can be removed.
void empty(sys::BorrowedFd directory, int depth) {
  const auto names = sys::list_directory(directory);
  if (!names || depth == kDeepest) return;
  for (const std::string& name : *names) {
    if (posix::unlinkat(directory.get(), name.c_str(), 0) == 0) continue;
    const sys::UniqueFd inside(posix::openat(directory.get(), name.c_str(),
                                             O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!inside) continue;
    empty(inside.borrow(), depth + 1);
    posix::unlinkat(directory.get(), name.c_str(), AT_REMOVEDIR);
  }
}

}  // namespace

ErrorDirectory::ErrorDirectory(const Environment& environment,
                               const std::optional<sys::Credentials>& user) {
  for (const std::string& parent :
       {environment.get_or("TMPDIR", "/tmp"), std::string("/tmp"), std::string("/dev/shm")}) {
    if (make_below(parent, user)) return;
  }
}

bool ErrorDirectory::make_below(const std::string& parent,
                                const std::optional<sys::Credentials>& user) {
  if (parent.empty()) return false;
  std::string path = sys::absolute_path(parent) + "/trainit-errors-XXXXXX";
  if (posix::mkdtemp(path.data()) == nullptr) return false;
  directory_.reset(posix::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory_ || (user && !give_to(*user, path))) {
    posix::rmdir(path.c_str());
    return false;
  }
  path_ = path;
  return true;
}

/// A directory that only we can enter, above it or itself, is of no use to the workers.
bool ErrorDirectory::give_to(const sys::Credentials& user, const std::string& path) const {
  return posix::fchown(directory_.get(), user.uid, user.gid) == 0 &&
         !sys::is_out_of_reach(path, user);
}

ErrorDirectory::~ErrorDirectory() {
  if (path_.empty()) return;
  empty(directory_.borrow(), 0);
  posix::rmdir(path_.c_str());
}

Result<sys::DatedText> ErrorDirectory::read(int rank) const {
  return sys::read_file_in(directory_.borrow(), error_file(rank), kLongest);
}

}  // namespace trainit
