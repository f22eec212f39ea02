#include "job/config_directory.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "sys/files.h"

namespace trainit::job {
namespace {

/// For the effective user, who is the one that opens files; in a container the real user is the
/// same.
bool may(const std::string& path, int access) {
  if (::faccessat(AT_FDCWD, path.c_str(), access, AT_EACCESS) == 0) return true;
  // Older seccomp profiles refuse the newer system call behind this.
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

/// The directory on the way to `path`, or `path` itself, that cannot be entered.
std::string closed_directory(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (!may(parent, X_OK)) return parent;
  }
  return path;
}

}  // namespace

Result<ConfigDirectory> ConfigDirectory::open(std::string path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return ConfigDirectory(std::move(path), false);
    if (errno == EACCES) return no_permission(closed_directory(path), "enter this directory");
    return fail(fmt::format("{}: {}", path, sys::errno_text(errno)));
  }
  if (!S_ISDIR(status.st_mode)) return fail(path + ": it has to be a directory, and is none");
  if (!may(path, X_OK)) return no_permission(path, "enter this directory");
  return ConfigDirectory(std::move(path), true);
}

std::string ConfigDirectory::path_of(std::string_view name) const {
  return sys::join_path(path_, name);
}

Result<std::optional<std::string>> ConfigDirectory::read_text(std::string_view name) const {
  const std::string path = path_of(name);
  if (!present_ || !sys::exists(path)) return std::optional<std::string>();
  if (!may(path, R_OK) && errno == EACCES) return no_permission(path, "read this file");
  return std::optional<std::string>(TRAINIT_TRY(sys::read_file(path)));
}

Result<std::optional<Json>> ConfigDirectory::read(std::string_view name) const {
  const std::optional<std::string> text = TRAINIT_TRY(read_text(name));
  if (!text) return std::optional<Json>();
  if (trim(*text).empty()) return fail(path_of(name) + ": the file is empty; it has to hold JSON");
  Result<Json> value = Json::parse(*text);
  if (!value) return fail(path_of(name), value.error());
  return std::optional<Json>(*std::move(value));
}

}  // namespace trainit::job
