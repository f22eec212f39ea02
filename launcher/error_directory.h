#pragma once

#include <optional>
#include <string>

#include "sys/files.h"
#include "sys/process.h"
#include "sys/unique_fd.h"
#include "trainit/environment.h"
#include "trainit/result.h"

namespace trainit {

/// A directory for the workers' torch-elastic error files, with what is in it, for the life of the
/// job.
///
/// It can belong to another user, whose workers may put links there or another directory in its
/// place while we are root: it is held open from its beginning, and no link in it is followed.
class ErrorDirectory {
 public:
  /// Below the first of TMPDIR of `environment`, /tmp and /dev/shm that serves, and given to
  /// `user`, who can come to it.
  ErrorDirectory(const Environment& environment, const std::optional<sys::Credentials>& user);
  ErrorDirectory(const ErrorDirectory&) = delete;
  ErrorDirectory& operator=(const ErrorDirectory&) = delete;
  /// Removes what is in it, and itself.
  ~ErrorDirectory();

  /// Empty when no place serves.
  const std::string& path() const { return path_; }

  /// What the worker of this rank left, of at most 1 MiB, and when.
  Result<sys::DatedText> read(int rank) const;

 private:
  bool make_below(const std::string& parent, const std::optional<sys::Credentials>& user);
  bool give_to(const sys::Credentials& user, const std::string& path) const;

  std::string path_;
  sys::UniqueFd directory_;
};

}  // namespace trainit
