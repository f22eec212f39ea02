#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "trainit/json.h"
#include "trainit/result.h"

namespace trainit::job {

/// Whether a file's text is nothing but white space, with or without a byte order mark.
bool is_empty(std::string_view text);

/// The directory in which the platform writes a job's configuration. Real jobs have been seen with
/// its mode at 0644: everybody may list it, but only root may enter it.
class ConfigDirectory {
 public:
  /// Error: something is there, but it is no directory, or this user cannot enter it; then the
  /// sentence has the uid, the mode and what to do.
  static Result<ConfigDirectory> open(std::string path);

  bool present() const { return present_; }
  std::string path_of(std::string_view name) const;

  /// The file's text; nothing when there is no such file. Error: it cannot be read (with uid, mode
  /// and what to do).
  Result<std::optional<std::string>> read_text(std::string_view name) const;
  /// The file's value; nothing when there is no such file. Errors begin with the file's path: as
  /// above, or it is malformed (line, column, what was expected).
  Result<std::optional<Json>> read(std::string_view name) const;

 private:
  ConfigDirectory(std::string path, bool present) : path_(std::move(path)), present_(present) {}

  std::string path_;
  bool present_;
};

}  // namespace trainit::job
