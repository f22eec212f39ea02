#include "job/config_directory.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "job/permission.h"
#include "sys/files.h"

namespace trainit::job {
namespace {

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

bool is_empty(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return trim(text).empty();
}

Result<std::optional<Json>> ConfigDirectory::read(std::string_view name) const {
  const std::optional<std::string> text = TRAINIT_TRY(read_text(name));
  if (!text) return std::optional<Json>();
  if (is_empty(*text)) return fail(path_of(name) + ": the file is empty; it has to hold JSON");
  Result<Json> value = Json::parse(*text);
  if (!value) return fail(path_of(name), value.error());
  return std::optional<Json>(*std::move(value));
}

}  // namespace trainit::job
