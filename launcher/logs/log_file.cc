#include "logs/log_file.h"

#include <fmt/core.h>

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
  if (!open()) return lose(bytes);
  if (limit_ != 0 && size_ > 0 && size_ + bytes.size() > limit_) {
    const std::size_t line_end = last_written_ == '\n' ? 0 : bytes.find('\n') + 1;
    const bool parts_a_line = last_written_ != '\n' && line_end == 0;
    if (!parts_a_line || size_ > limit_) {
      write(bytes.substr(0, line_end));
      bytes.remove_prefix(line_end);
      rotate();
      if (!open()) return lose(bytes);
    }
  }
  write(bytes);
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
