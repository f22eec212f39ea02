#include "base/log.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/utf8.h"
#include "trainit/json.h"

namespace trainit {
namespace {

constexpr std::size_t kMostUnsaid = 1 << 20;

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

void Logger::set_sink(Sink sink) {
  sink_ = std::move(sink);
  flush();
}

bool Logger::flush() const {
  if (unsaid_.empty() || !sink_) return unsaid_.empty();
  const std::string lines =
      std::exchange(unsaid_, {});  // the sink may have something to say itself
  unsaid_.insert(0, lines, std::min(sink_(lines), lines.size()));
  return unsaid_.empty();
}

void Logger::write(LogLevel level, std::string text) const {
  text = masked(text);
  const std::string line =
      format_ == LogFormat::kJson ? json_line(level, text) : text_line(level, text, dim_);
  if (unsaid_.size() + line.size() <= kMostUnsaid) unsaid_ += line;
  flush();
}

}  // namespace trainit
