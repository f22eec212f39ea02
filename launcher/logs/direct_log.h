#pragma once

#include <unistd.h>

#include "base/log.h"
#include "logs/outlet.h"

namespace trainit::logs {

/// As long as this lives, and nobody gives the logger another sink, what we say goes to stderr as
/// far as its reader takes it. A reader that stands still does not keep us: not before there are
/// workers, nor from heeding a stop.
class DirectLog {
 public:
  /// `log` outlives this. `fd` stays the caller's and open.
  explicit DirectLog(Logger& log, int fd = STDERR_FILENO);
  DirectLog(const DirectLog&) = delete;
  DirectLog& operator=(const DirectLog&) = delete;
  /// Gives the reader half a second to take what is left.
  ~DirectLog();

 private:
  std::size_t take(std::string_view lines);

  Logger& log_;
  Outlet outlet_;
};

}  // namespace trainit::logs
