#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sys/event_loop.h"
#include "sys/unique_fd.h"
#include "trainit/result.h"

namespace trainit::sys {

/// "No such file or directory (ENOENT)".
std::string errno_text(int errno_value);

bool exists(const std::string& path);
bool is_directory(const std::string& path);
bool is_regular_file(const std::string& path);

/// Where a link leads that leads to nothing; empty: it is no such link.
std::string dangling_link(const std::string& path);
/// A path that leads to nothing.
struct Absence {
  int errno_value;
  /// "does not exist", "is a dangling link to /x", "cannot be reached: Permission denied (EACCES)".
  std::string text;
};
/// Nothing, where there is something.
std::optional<Absence> absence_of(const std::string& path);

/// Opens what has to be a regular file, without waiting: a FIFO would keep us until somebody has
/// opened its other end. A relative `path` begins at `directory`. Error: errno's text, or that it
/// is no regular file; without the path.
Result<UniqueFd> open_file(BorrowedFd directory, const std::string& path, int flags,
                           mode_t mode = 0644);

/// The whole file, which has to be a regular one; an error when it is longer than `limit` bytes.
Result<std::string> read_file(const std::string& path, std::size_t limit = 64 << 20);
/// A file's content, and when it was last written to: by its time stamp, in the clock that nobody
/// sets. Never before that moment, and up to 10 ms after it, unless the system's clock was set
/// since.
struct DatedText {
  std::string text;
  TimePoint written_at;
};
/// The same for a file of an open directory that others may write to: a link there is refused.
Result<DatedText> read_file_in(BorrowedFd directory, const std::string& name,
                               std::size_t limit = 64 << 20);
/// As `read_file`, with surrounding white space cut; empty when it cannot be read (for /proc and
/// /sys).
std::string read_line(const std::string& path);

/// As read(2) and write(2), but made again when a signal interrupts them.
ssize_t read_some(BorrowedFd fd, void* buffer, std::size_t size);
ssize_t write_some(BorrowedFd fd, std::string_view bytes);

/// Writes all of it, however many calls that takes. Error: errno's text alone.
Result<void> write_all(BorrowedFd fd, std::string_view content);

/// Puts `content` at `path` so that a reader never finds half of it, and only where nothing is,
/// also when something appears at the last moment. Tells whether it wrote. Where the file system
/// knows files without a name (O_TMPFILE), a crash leaves nothing; elsewhere "PATH.PID.tmp" at
/// most.
Result<bool> write_file_once(const std::string& path, std::string_view content);

/// `mkdir -p`; fine when it is there.
Result<void> make_directories(const std::string& path, mode_t mode = 0755);

/// Whether a directory has a name of which this is so; false where it cannot be read.
bool any_name_in(const std::string& path, const std::function<bool(std::string_view name)>& wanted);
/// The names in a directory, sorted, without "." and "..".
Result<std::vector<std::string>> list_directory(const std::string& path);
/// The same of an open directory, wherever that is by now.
Result<std::vector<std::string>> list_directory(BorrowedFd directory);

/// The directory that a path names something in: "a" of "a/b", "." of "b", "/" of "/b".
std::string parent_directory(const std::string& path);
/// "a/b" of "a" and "b"; `name` alone when it is absolute.
std::string join_path(std::string_view directory, std::string_view name);

/// Something to read that is at its end: /dev/null, for writing too, or a pipe that nobody writes
/// to, where there is no /dev. Close-on-exec. Invalid when the kernel has no descriptor left.
UniqueFd open_nothing();

/// Where we are; empty when that directory is gone.
std::string working_directory();
/// `path` from the root, by where we are now; unchanged when it is empty.
std::string absolute_path(const std::string& path);

}  // namespace trainit::sys
