#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "logs/log_directory.h"
#include "sys/unique_fd.h"
#include "trainit/result.h"

namespace trainit::logs {

/// A file that one stream is written to as it comes. It is opened with the first byte, appended to
/// if it is there, and never fails: what a full disk does not take is dropped.
class LogFile {
 public:
  using Trouble = std::function<void(const std::string& text)>;

  /// When the file has about `limit` bytes (0: never) it becomes NAME.1, NAME.1 becomes NAME.2 and
  /// so on up to `kept`, at least 1; it is parted only between lines, unless one is as long as the
  /// limit. `trouble` is called once, with a sentence that says why something could not be written.
  /// `directory` outlives it.
  LogFile(const LogDirectory& directory, std::string name, std::uint64_t limit, int kept,
          Trouble trouble);

  /// Returns how many of the bytes could not be written.
  std::size_t append(std::string_view bytes);

  std::string path() const { return directory_.path_of(name_); }

 private:
  Result<void> open();
  std::size_t fitting(std::string_view bytes) const;
  std::size_t write(std::string_view bytes);
  std::string_view put(std::string_view bytes);
  std::size_t lose(std::string_view bytes, const std::string& why);
  void rotate();
  std::string generation(int number) const;

  const LogDirectory& directory_;
  std::string name_;
  std::uint64_t limit_;
  int kept_;
  Trouble trouble_;
  sys::UniqueFd file_;
  std::uint64_t size_ = 0;
  char last_written_ = '\n';
  bool told_ = false, torn_ = false;
};

}  // namespace trainit::logs
