#pragma once

#include <string>

#include "sys/unique_fd.h"
#include "trainit/result.h"

namespace trainit::logs {

/// A directory for log files. It can belong to the workers' user, who may put links there or
/// another directory in its place while we are root: it is held open from its beginning, and no
/// link in it is followed.
class LogDirectory {
 public:
  explicit LogDirectory(std::string path);

  /// For people.
  std::string path_of(const std::string& name) const;

  /// Opens a file to append to, and makes it if it is not there. Error: why that is not possible,
  /// without the path.
  Result<sys::UniqueFd> open(const std::string& name) const;
  /// Gives a file another name, in place of what has it. Tells whether that was possible.
  bool rename(const std::string& from, const std::string& to) const;

 private:
  std::string path_;
  Result<sys::UniqueFd> directory_;
};

}  // namespace trainit::logs
