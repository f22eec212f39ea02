#include "base/log.h"

#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "base/utf8.h"
#include "trainit/json.h"

namespace trainit {
namespace {

void write_to_stderr(std::string_view line) {
  while (!line.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // there is nowhere to say that nothing can be said
    line.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    default:
      return "error";
  }
}

std::string json_line(LogLevel level, const std::string& text) {
  const Json::Object line{{"level", level_name(level)}, {"message", utf8::sanitize(text)}};
  return dump_json(line) + "\n";
}

std::string text_line(LogLevel level, const std::string& text, bool dim) {
  const std::string line = fmt::format(
      "trainit: {}{}", level == LogLevel::kWarning ? "warning: " : "", escape_controls(text));
  return dim ? "\x1b[2m" + line + "\x1b[0m\n" : line + "\n";
}

}  // namespace

Logger::Logger() : sink_(write_to_stderr) {}

void Logger::write(LogLevel level, std::string text) const {
  text = masked(text);
  sink_(format_ == LogFormat::kJson ? json_line(level, text) : text_line(level, text, dim_));
}

}  // namespace trainit
