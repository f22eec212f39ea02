#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "sys/unique_fd.h"

namespace trainit::logs {

/// A file that one stream is written to as it comes. It is opened with the first byte, appended to
/// if it is there, and never fails: what a full disk does not take is counted.
class LogFile {
 public:
  using Trouble = std::function<void(const std::string& text)>;

  /// When the file has about `limit` bytes (0: never) it becomes PATH.1, PATH.1 becomes PATH.2 and
  /// so on up to `kept`, at least 1; it is parted only between lines, unless one is as long as the
  /// limit. `trouble` is called once, with a sentence that says why something could not be written.
  LogFile(std::string path, std::uint64_t limit, int kept, Trouble trouble);

  void append(std::string_view bytes);

  const std::string& path() const { return path_; }
  std::uint64_t lost_bytes() const { return lost_bytes_; }

 private:
  bool open();
  std::size_t fitting(std::string_view bytes) const;
  void write(std::string_view bytes);
  void lose(std::string_view bytes);
  void rotate();
  std::string generation(int number) const;

  std::string path_;
  std::uint64_t limit_;
  int kept_;
  Trouble trouble_;
  sys::UniqueFd file_;
  std::uint64_t size_ = 0, lost_bytes_ = 0;
  char last_written_ = '\n';
  bool told_ = false, torn_ = false;
};

}  // namespace trainit::logs
