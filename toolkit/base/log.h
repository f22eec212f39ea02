#pragma once

#include <fmt/core.h>

#include <functional>
#include <string>
#include <string_view>

/// What trainit itself says: whole lines that begin with "trainit:". Whatever a message
/// quotes, it is one line: control characters are escaped. One logger is made in main and passed to
/// whoever speaks; there is no global one.
namespace trainit {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };
enum class LogFormat { kText, kJson };

class Logger {
 public:
  /// Takes finished lines, each with its end, as far as there is room for them, and tells how many
  /// bytes that was. It never fails and never blocks.
  using Sink = std::function<std::size_t(std::string_view lines)>;
  /// Gives a text with every secret in it masked.
  using Mask = std::function<std::string(std::string_view text)>;

  const Sink& sink() const { return sink_; }
  /// What the sink before it, or none, has not taken yet is the first that this one is given.
  void set_sink(Sink sink);
  /// Offers the sink what it has not taken yet, which otherwise waits for the next line. Tells
  /// whether all of it has been taken.
  bool flush() const;
  void set_mask(Mask mask) { mask_ = std::move(mask); }
  /// The text as it would be said, for who says it elsewhere too.
  std::string masked(std::string_view text) const {
    return mask_ ? mask_(text) : std::string(text);
  }
  void set_level(LogLevel level) { level_ = level; }
  void set_format(LogFormat format) { format_ = format; }
  void set_dim(bool dim) { dim_ = dim; }  ///< dims the lines, as is right on a terminal only

  template <class... Arguments>
  void debug(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    if (level_ <= LogLevel::kDebug)
      write(LogLevel::kDebug, fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  template <class... Arguments>
  void info(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    if (level_ <= LogLevel::kInfo)
      write(LogLevel::kInfo, fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  template <class... Arguments>
  void warning(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    if (level_ <= LogLevel::kWarning)
      write(LogLevel::kWarning, fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  template <class... Arguments>
  void error(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    if (level_ <= LogLevel::kError)
      write(LogLevel::kError, fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  /// An error that has no other place: it is said whatever the level is.
  template <class... Arguments>
  void last_resort(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    write(LogLevel::kError, fmt::format(format, std::forward<Arguments>(arguments)...));
  }

 private:
  void write(LogLevel level, std::string text) const;

  Sink sink_;
  mutable std::string unsaid_;  ///< no more than 1 MiB: what comes then is dropped
  Mask mask_;
  LogLevel level_ = LogLevel::kInfo;
  LogFormat format_ = LogFormat::kText;
  bool dim_ = false;
};

}  // namespace trainit
