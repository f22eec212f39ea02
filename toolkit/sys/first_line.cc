#include "sys/first_line.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "base/text.h"
#include "sys/posix.h"
#include "sys/unique_fd.h"

namespace trainit::sys {
namespace {

/// As far as a first line may go; the kernel itself looks at 256 bytes.
constexpr std::size_t kLongest = 4096;
/// As far as line ends are looked for.
constexpr std::size_t kLooked = 64 << 10;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kShells[] = {"sh", "bash", "dash", "ash", "ksh", "zsh"};

std::string first_bytes(const std::string& path, std::size_t most) {
  const UniqueFd file(posix::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  std::string bytes(most, '\0');
  const ssize_t size = file ? posix::read(file.get(), bytes.data(), bytes.size()) : -1;
  bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return bytes;
}

}  // namespace

std::string FirstLine::interpreter() const {
  return command.substr(0, command.find_first_of(" \t"));
}

std::string FirstLine::wanted_of_env() const {
  if (!interpreter().ends_with("/env")) return {};
  const std::string_view rest = std::string_view(command).substr(interpreter().size());
  for (const std::string_view word : split(rest, ' ')) {
    if (word.empty() || word.starts_with('-') || word.find('=') != std::string_view::npos) continue;
    return std::string(word);
  }
  return {};
}

bool FirstLine::names_shell() const {
  const std::string wanted = wanted_of_env();
  const std::string path = wanted.empty() ? interpreter() : wanted;
  const std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
  return std::find(std::begin(kShells), std::end(kShells), name) != std::end(kShells);
}

std::string FirstLine::complaint() const {
  if (byte_order_mark) {
    return fmt::format(
        "the file begins with a byte order mark (BOM), which counts as a part of its first line; "
        "save it as UTF-8 without one{}",
        windows_line_end ? ", and with LF for its Windows line ends" : "");
  }
  if (!windows_line_end) return {};
  const std::string_view advice = "the file has Windows line ends; save it with LF";
  if (!script) return std::string(advice);
  return fmt::format("its first line names {}\\r: {}", command, advice);
}

FirstLine read_first_line(const std::string& path) {
  const std::string bytes = first_bytes(path, kLongest);
  const std::string_view line = std::string_view(bytes).substr(0, bytes.find('\n'));
  FirstLine result;
  if (line.size() == kLongest) return result;
  result.script = line.starts_with("#!");
  result.byte_order_mark = line.starts_with(kByteOrderMark);
  result.windows_line_end = line.ends_with('\r') && line.size() < bytes.size();
  if (result.script) result.command = trim(line.substr(2));
  return result;
}

int first_windows_line(const std::string& path) {
  const std::string bytes = first_bytes(path, kLooked);
  const std::size_t found = bytes.find("\r\n");
  if (found == std::string::npos) return 0;
  const auto before = bytes.begin() + static_cast<std::string::difference_type>(found);
  return 1 + static_cast<int>(std::count(bytes.begin(), before, '\n'));
}

}  // namespace trainit::sys
