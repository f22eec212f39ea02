#include "logs/log_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::logs {

LogFile::LogFile(const LogDirectory& directory, std::string name, std::uint64_t limit, int kept,
                 Trouble trouble)
    : directory_(directory),
      name_(std::move(name)),
      limit_(limit),
      kept_(kept),
      trouble_(std::move(trouble)) {}

Result<void> LogFile::open() {
  if (file_) return {};
  file_ = TRAINIT_TRY(directory_.open(name_));
  struct stat status = {};
  if (posix::fstat(file_.get(), &status) == 0) size_ = static_cast<std::uint64_t>(status.st_size);
  return {};
}

std::size_t LogFile::append(std::string_view bytes) {
  std::size_t lost = 0;
  while (!bytes.empty()) {
    if (const auto opened = open(); !opened) return lost + lose(bytes, opened.error().message);
    const std::size_t count = fitting(bytes);
    lost += write(bytes.substr(0, count));
    bytes.remove_prefix(count);
    if (!bytes.empty()) rotate();
  }
  return lost;
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

std::size_t LogFile::write(std::string_view bytes) {
  if (bytes.empty()) return 0;
  // The line that was torn ends here, or this would seem to be its end.
  if (torn_ && last_written_ != '\n' && !put("\n").empty())
    return lose(bytes, sys::errno_text(errno));
  torn_ = false;
  const std::string_view left = put(bytes);
  return left.empty() ? 0 : lose(left, sys::errno_text(errno));
}

/// Returns what could not be written (errno).
std::string_view LogFile::put(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = sys::write_some(file_.borrow(), bytes);
    if (count <= 0) break;
    size_ += static_cast<std::uint64_t>(count);
    last_written_ = bytes[static_cast<std::size_t>(count) - 1];
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return bytes;
}

std::size_t LogFile::lose(std::string_view bytes, const std::string& why) {
  torn_ = true;
  if (!std::exchange(told_, true) && trouble_)
    trouble_(fmt::format("{} cannot be written ({}): what does not fit is dropped", path(), why));
  return bytes.size();
}

void LogFile::rotate() {
  for (int number = kept_; number > 1; --number) {
    directory_.rename(generation(number - 1), generation(number));
  }
  // Where that is not possible the file grows on: better long than lost.
  if (!directory_.rename(name_, generation(1))) limit_ = 0;
  file_.reset();
  size_ = 0;
}

std::string LogFile::generation(int number) const { return fmt::format("{}.{}", name_, number); }

}  // namespace trainit::logs
