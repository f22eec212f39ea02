#include "logs/log_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::logs {
namespace {

constexpr mode_t kMode = 0644;

}  // namespace

LogFile::LogFile(std::string path, std::uint64_t limit, int kept, Trouble trouble)
    : path_(std::move(path)), limit_(limit), kept_(kept), trouble_(std::move(trouble)) {}

bool LogFile::open() {
  if (file_) return true;
  file_.reset(
      posix::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, kMode));
  struct stat status = {};
  if (!file_ || posix::fstat(file_.get(), &status) != 0) return false;
  size_ = static_cast<std::uint64_t>(status.st_size);
  return true;
}

void LogFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!open()) return lose(bytes);
    const std::size_t count = fitting(bytes);
    write(bytes.substr(0, count));
    bytes.remove_prefix(count);
    if (!bytes.empty()) rotate();
  }
}

/// How much of it belongs into this file: the lines that fit; but something, if it is empty.
std::size_t LogFile::fitting(std::string_view bytes) const {
  if (limit_ == 0 || size_ + bytes.size() <= limit_) return bytes.size();
  const std::uint64_t room = limit_ - std::min(size_, limit_);
  const std::size_t whole_lines = bytes.substr(0, room).rfind('\n') + 1;
  const bool at_line_start = last_written_ == '\n';
  if (whole_lines > 0 || (at_line_start && size_ > 0)) return whole_lines;
  const std::size_t line_end = bytes.find('\n') + 1;
  if (line_end > 0) return line_end;
  return size_ > limit_ ? 0 : bytes.size();
}

void LogFile::write(std::string_view bytes) {
  if (bytes.empty()) return;
  std::string ended;
  if (torn_ && last_written_ != '\n') bytes = ended.append("\n").append(bytes);
  while (!bytes.empty()) {
    const ssize_t count = posix::write(file_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return lose(bytes);
    torn_ = false;
    size_ += static_cast<std::uint64_t>(count);
    last_written_ = bytes[static_cast<std::size_t>(count) - 1];
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void LogFile::lose(std::string_view bytes) {
  const int error = errno;
  torn_ = true;
  lost_bytes_ += bytes.size();
  if (std::exchange(told_, true) || !trouble_) return;
  trouble_(fmt::format("{} cannot be written ({}): what does not fit is dropped", path_,
                       sys::errno_text(error)));
}

void LogFile::rotate() {
  for (int number = kept_; number > 1; --number) {
    posix::rename(generation(number - 1).c_str(), generation(number).c_str());
  }
  // Where that is not possible the file grows on: better long than lost.
  if (posix::rename(path_.c_str(), generation(1).c_str()) != 0) limit_ = 0;
  file_.reset();
  size_ = 0;
}

std::string LogFile::generation(int number) const { return fmt::format("{}.{}", path_, number); }

}  // namespace trainit::logs
