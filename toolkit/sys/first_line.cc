#include "sys/first_line.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <string_view>

#include "base/text.h"
#include "sys/posix.h"
#include "sys/unique_fd.h"

namespace trainit::sys {
namespace {

/// As far as a first line may go; the kernel itself looks at 256 bytes.
constexpr std::size_t kLongest = 4096;

std::string first_bytes(const std::string& path) {
  const UniqueFd file(posix::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  std::string bytes(kLongest, '\0');
  const ssize_t size = file ? posix::read(file.get(), bytes.data(), bytes.size()) : -1;
  bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return bytes;
}

}  // namespace

std::string FirstLine::interpreter() const {
  return command.substr(0, command.find_first_of(" \t"));
}

std::string FirstLine::windows_complaint() const {
  const std::string_view advice = "the file has Windows line ends; save it with LF";
  if (!script) return std::string(advice);
  return fmt::format("its first line names {}\\r: {}", command, advice);
}

FirstLine read_first_line(const std::string& path) {
  const std::string bytes = first_bytes(path);
  const std::string_view line = std::string_view(bytes).substr(0, bytes.find('\n'));
  FirstLine result;
  if (line.size() == kLongest) return result;
  result.script = line.starts_with("#!");
  result.windows_line_end = line.ends_with('\r') && line.size() < bytes.size();
  if (result.script) result.command = trim(line.substr(2));
  return result;
}

}  // namespace trainit::sys
