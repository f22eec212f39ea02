#include "sys/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <optional>

#include "base/text.h"
#include "sys/posix.h"

namespace trainit::sys {
namespace {

constexpr mode_t kMode = 0644;

Result<void> fill(const UniqueFd& file, std::string_view content) {
  if (!file) return fail(errno_text(errno));
  TRAINIT_TRY(write_all(file.borrow(), content));
  if (posix::fsync(file.get()) != 0 && errno != EINVAL && errno != EROFS)
    return fail(errno_text(errno));
  return {};
}

Result<void> write_new_file(const std::string& path, std::string_view content) {
  posix::unlink(path.c_str());  // of an earlier process with our pid
  return fill(UniqueFd(posix::open(path.c_str(),
                                   O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kMode)),
              content);
}

/// A file that has no name until it is whole, so that a crash leaves nothing. Tells whether it has
/// got it, or whether the name was taken; nothing: not every file system can, nor can anybody
/// without /proc, and what else went wrong the usual way will tell.
std::optional<bool> write_nameless(const std::string& path, std::string_view content) {
  const UniqueFd file(
      posix::open(parent_directory(path).c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, kMode));
  if (!fill(file, content)) return std::nullopt;
  const std::string itself = fmt::format("/proc/self/fd/{}", file.get());
  if (posix::linkat(AT_FDCWD, itself.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0)
    return true;
  return errno == EEXIST ? std::optional(false) : std::nullopt;
}

Result<std::string> read_to_end(BorrowedFd file, std::size_t limit) {
  std::string content;
  char buffer[16 * 1024];
  while (true) {
    const ssize_t count = read_some(file, buffer, sizeof buffer);
    if (count == 0) return content;
    if (count < 0) return fail(errno_text(errno));
    content.append(buffer, static_cast<std::size_t>(count));
    if (content.size() > limit) return fail("it is longer than " + human_bytes(limit));
  }
}

Result<std::string> read_opened(const Result<UniqueFd>& file, const std::string& name,
                                std::size_t limit) {
  if (!file) return fail("reading " + name, file.error());
  Result<std::string> content = read_to_end(file->borrow(), limit);
  if (!content) return fail("reading " + name, content.error());
  return content;
}

/// The same moment in both clocks.
struct Moment {
  TimePoint steady;
  std::chrono::system_clock::time_point system;
};

/// A process that has to wait between its looks at the two clocks looks again.
Moment now_in_both() {
  constexpr std::chrono::microseconds kAtOnce(100);
  constexpr int kTries = 10;
  Moment best{};
  Duration gap = Duration::max();
  for (int tries = 0; tries < kTries && gap > kAtOnce; ++tries) {
    const TimePoint before = Clock::now();
    const auto system = std::chrono::system_clock::now();
    const TimePoint after = Clock::now();
    if (after - before < gap) best = {after, system};
    gap = std::min<Duration>(gap, after - before);
  }
  return best;
}

/// A time stamp, in the clock that nobody sets. It is that of the kernel's last tick, and those are
/// 10 ms apart at most.
TimePoint moment_of(const timespec& stamp) {
  constexpr std::chrono::milliseconds kTick(10);
  const auto since_epoch =
      std::chrono::seconds(stamp.tv_sec) + std::chrono::nanoseconds(stamp.tv_nsec) + kTick;
  const Moment now = now_in_both();
  return now.steady - (now.system.time_since_epoch() - since_epoch);
}

/// Gives `from` the name `to` unless something has it. 0, or what errno says. Not every file system
/// knows RENAME_NOREPLACE, and not every one knows hard links; where neither is there, the last
/// resort may replace what came at the last moment.
int rename_new(const char* from, const char* to) {
  if (posix::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno == EEXIST) return EEXIST;
  if (posix::link(from, to) == 0) return posix::unlink(from) == 0 ? 0 : errno;
  if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) return errno;
  return posix::rename(from, to) == 0 ? 0 : errno;
}

/// 0 when it is there now, or what errno said.
int make_directory(const std::string& path, mode_t mode) {
  if (posix::mkdir(path.c_str(), mode) == 0) return 0;
  const int failure = errno;
  return is_directory(path) ? 0 : failure;
}

/// Calls `visit` with each name but "." and "..", in no order, until it returns false.
Result<void> visit_names(BorrowedFd directory, const char* path,
                         const std::function<bool(std::string_view name)>& visit) {
  UniqueFd opened(posix::openat(directory.get(), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return fail(errno_text(errno));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(posix::fdopendir(opened.get()), ::closedir);
  if (!stream) return fail(errno_text(errno));
  opened.release();  // the stream closes it
  errno = 0;
  while (const dirent* entry = posix::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && !visit(name)) return {};
    errno = 0;
  }
  if (errno != 0) return fail(errno_text(errno));
  return {};
}

Result<std::vector<std::string>> names_below(BorrowedFd directory, const char* path) {
  std::vector<std::string> names;
  TRAINIT_TRY(visit_names(directory, path, [&names](std::string_view name) {
    names.emplace_back(name);
    return true;
  }));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

ssize_t read_some(BorrowedFd fd, void* buffer, std::size_t size) {
  ssize_t count = -1;
  do {
    count = posix::read(fd.get(), buffer, size);
  } while (count < 0 && errno == EINTR);
  return count;
}

ssize_t write_some(BorrowedFd fd, std::string_view bytes) {
  ssize_t count = -1;
  do {
    count = posix::write(fd.get(), bytes.data(), bytes.size());
  } while (count < 0 && errno == EINTR);
  return count;
}

Result<void> write_all(BorrowedFd fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write_some(fd, content);
    if (written < 0) return fail(errno_text(errno));
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

std::string errno_text(int errno_value) {
  const char* name = strerrorname_np(errno_value);
  const char* text = strerrordesc_np(errno_value);
  return fmt::format("{} ({})", text == nullptr ? "unknown error" : text,
                     name == nullptr ? std::to_string(errno_value) : name);
}

bool exists(const std::string& path) { return posix::access(path.c_str(), F_OK) == 0; }

bool is_directory(const std::string& path) {
  struct stat status = {};
  return posix::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_regular_file(const std::string& path) {
  struct stat status = {};
  return posix::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

std::string dangling_link(const std::string& path) {
  char target[PATH_MAX];
  if (exists(path) || (errno != ENOENT && errno != ENOTDIR)) return {};
  const ssize_t length = posix::readlink(path.c_str(), target, sizeof target);
  return length < 0 ? std::string() : std::string(target, static_cast<std::size_t>(length));
}

std::optional<Absence> absence_of(const std::string& path) {
  if (exists(path)) return std::nullopt;
  const int failure = errno;
  if (failure != ENOENT && failure != ENOTDIR)
    return Absence{failure, "cannot be reached: " + errno_text(failure)};
  const std::string target = dangling_link(path);
  return Absence{failure, target.empty() ? "does not exist" : "is a dangling link to " + target};
}

Result<UniqueFd> open_file(BorrowedFd directory, const std::string& path, int flags, mode_t mode) {
  constexpr int kAlways = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  UniqueFd file(posix::openat(directory.get(), path.c_str(), flags | kAlways, mode));
  struct stat status = {};
  // ENXIO: nobody has the other end of a FIFO open, or it is a socket.
  const bool opened = file && posix::fstat(file.get(), &status) == 0;
  if (!opened && errno == ELOOP && (flags & O_NOFOLLOW) != 0)
    return fail("it is a symbolic link, which is not followed");
  if (!opened && errno != ENXIO) return fail(errno_text(errno));
  if (!opened || !S_ISREG(status.st_mode)) return fail("it is not a regular file");
  return file;
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  return read_opened(open_file(BorrowedFd(AT_FDCWD), path, O_RDONLY), path, limit);
}

Result<DatedText> read_file_in(BorrowedFd directory, const std::string& name, std::size_t limit) {
  const Result<UniqueFd> file = open_file(directory, name, O_RDONLY | O_NOFOLLOW);
  std::string text = TRAINIT_TRY(read_opened(file, name, limit));
  struct stat status = {};
  if (posix::fstat(file->get(), &status) != 0)
    return fail("reading " + name + ": " + errno_text(errno));
  return DatedText{std::move(text), moment_of(status.st_mtim)};
}

std::string read_line(const std::string& path) {
  const Result<std::string> content = read_file(path, 1 << 20);
  return content ? std::string(trim(*content)) : std::string();
}

Result<bool> write_file_once(const std::string& path, std::string_view content) {
  struct stat status = {};
  if (posix::lstat(path.c_str(), &status) == 0) return false;
  if (const auto wrote = write_nameless(path, content)) return *wrote;
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  const Result<void> written = write_new_file(temporary, content);
  const int placed = written ? rename_new(temporary.c_str(), path.c_str()) : 0;
  if (!written || placed != 0) posix::unlink(temporary.c_str());
  if (placed == EEXIST) return false;
  if (placed != 0) return fail("writing " + path + ": " + errno_text(placed));
  if (!written) return fail("writing " + path, written.error());
  return true;
}

Result<void> make_directories(const std::string& path, mode_t mode) {
  int failure = make_directory(path, mode);
  const std::size_t slash = path.find_last_of('/');
  if (failure == ENOENT && slash != std::string::npos && slash != 0) {
    TRAINIT_TRY(make_directories(path.substr(0, slash), mode));
    failure = make_directory(path, mode);
  }
  if (failure == 0) return {};
  return fail(fmt::format("making the directory {}: {}", path, errno_text(failure)));
}

bool any_name_in(const std::string& path,
                 const std::function<bool(std::string_view name)>& wanted) {
  bool found = false;
  const auto look = [&](std::string_view name) { return !(found = wanted(name)); };
  return visit_names(BorrowedFd(AT_FDCWD), path.c_str(), look) && found;
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
  auto names = names_below(BorrowedFd(AT_FDCWD), path.c_str());
  if (!names) return fail("listing " + path, names.error());
  return names;
}

Result<std::vector<std::string>> list_directory(BorrowedFd directory) {
  return names_below(directory, ".");
}

std::string parent_directory(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string join_path(std::string_view directory, std::string_view name) {
  if (directory.empty() || name.starts_with('/')) return std::string(name);
  std::string path(directory);
  if (path.back() != '/') path += '/';
  path += name;
  return path;
}

UniqueFd open_nothing() {
  const int null = posix::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0) return UniqueFd(null);
  int ends[2];
  if (posix::pipe2(ends, O_CLOEXEC) != 0) return UniqueFd();
  posix::close(ends[1]);
  return UniqueFd(ends[0]);
}

std::string working_directory() {
  char directory[PATH_MAX];
  return ::getcwd(directory, sizeof directory) == nullptr ? std::string() : directory;
}

std::string absolute_path(const std::string& path) {
  if (path.empty() || path.starts_with('/')) return path;
  const std::string directory = working_directory();
  return directory.empty() ? path : join_path(directory, path);
}

}  // namespace trainit::sys
