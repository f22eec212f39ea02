#include "logs/log_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::logs {

LogFile::LogFile(const LogDirectory& directory, std::string name, std::uint64_t limit, int kept,
                 Trouble trouble, std::uint64_t& lost)
    : directory_(directory),
      name_(std::move(name)),
      limit_(limit),
      kept_(kept),
      trouble_(std::move(trouble)),
      lost_(lost) {}

Result<void> LogFile::open() {
  if (file_) return {};
  file_ = TRAINIT_TRY(directory_.open(name_));
  struct stat status = {};
  if (posix::fstat(file_.get(), &status) == 0) size_ = static_cast<std::uint64_t>(status.st_size);
  return {};
}

void LogFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (const auto opened = open(); !opened) return lose(bytes, opened.error().message);
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
    const ssize_t count = sys::write_some(file_.borrow(), bytes);
    if (count <= 0) return lose(bytes, sys::errno_text(errno));
    torn_ = false;
    size_ += static_cast<std::uint64_t>(count);
    last_written_ = bytes[static_cast<std::size_t>(count) - 1];
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void LogFile::lose(std::string_view bytes, const std::string& why) {
  torn_ = true;
  lost_ += bytes.size();
  if (std::exchange(told_, true) || !trouble_) return;
  trouble_(fmt::format("{} cannot be written ({}): what does not fit is dropped", path(), why));
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
