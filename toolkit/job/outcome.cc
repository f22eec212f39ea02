#include "trainit/outcome.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "base/text.h"
#include "base/utf8.h"
#include "sys/files.h"
#include "sys/posix.h"

namespace trainit {
namespace {

/// Replacing a stray byte makes it longer, so the cut comes twice: before, for speed, and after.
std::string fit_failure_text(std::string_view text) {
  const std::string sanitized = utf8::sanitize(utf8::truncate(text, kFailureBytes));
  return std::string(utf8::truncate(sanitized, kFailureBytes));
}

Result<void> set_aside(const std::string& path) {
  const std::string previous = path + ".previous";
  if (posix::rename(path.c_str(), previous.c_str()) == 0 || errno == ENOENT) return {};
  const int error = errno;
  // On a full disk there is no room for another name. Better lost than taken for this job's.
  if (posix::unlink(path.c_str()) == 0) return {};
  return fail(fmt::format("moving {} to {}: {}", path, previous, sys::errno_text(error)));
}

bool says_nothing(const std::string& path) {
  struct stat status = {};
  if (posix::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if (status.st_size == 0) return true;
  const auto text = sys::read_file(path, kFailureBytes);
  return text && trim(*text).empty();
}

/// A file without a word is no reason that anybody gave.
void discard_empty(const std::string& path) {
  if (says_nothing(path)) posix::unlink(path.c_str());
}

}  // namespace

Result<bool> write_failure(const Paths& paths, std::string_view text) {
  TRAINIT_TRY(sys::make_directories(paths.output));
  discard_empty(paths.failure);
  const bool wrote = TRAINIT_TRY(sys::write_file_once(paths.failure, fit_failure_text(text)));
  if (!wrote && !sys::is_regular_file(paths.failure))
    return fail("writing " + paths.failure + ": what is there is not a regular file");
  return wrote;
}

Result<void> write_success(const Paths& paths) {
  TRAINIT_TRY(sys::make_directories(paths.output));
  const auto file =
      sys::open_file(sys::BorrowedFd(AT_FDCWD), paths.success, O_WRONLY | O_CREAT | O_NOFOLLOW);
  if (!file) return fail("writing " + paths.success, file.error());
  discard_empty(paths.failure);
  return {};
}

Result<void> set_aside_markers(const Paths& paths) {
  // The one of success first: if we are killed between the two, the other must still speak.
  const Result<void> success = set_aside(paths.success);
  const Result<void> failure = set_aside(paths.failure);
  return success ? failure : success;
}

}  // namespace trainit
