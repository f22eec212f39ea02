#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "logs/console.h"
#include "logs/line_splitter.h"
#include "logs/log_file.h"
#include "logs/progress.h"
#include "logs/tail.h"
#include "sys/event_loop.h"
#include "sys/unique_fd.h"

namespace trainit::logs {

enum class Stream { kStdout, kStderr };

/// "stdout" or "stderr".
inline std::string_view name_of(Stream stream) {
  return stream == Stream::kStdout ? "stdout" : "stderr";
}

/// One output of one worker, on its way from its pipe to one of our consoles.
class WorkerStream {
 public:
  enum class Passing {
    kNothing,  ///< it is not shown
    kBytes,    ///< every byte at once, as it came
    kLines,    ///< whole lines, so that those of other streams can stand between them
  };
  struct Description {
    int rank = 0;
    Stream stream = Stream::kStdout;
    Console::Source source = 0;
    std::string prefix;
    Passing passing = Passing::kLines;
    bool waits_for_room = true;         ///< else what a full console does not take overflows
    std::unique_ptr<LogFile> overflow;  ///< takes what overflows; none: it is dropped
    std::unique_ptr<LogFile> file;      ///< takes everything as it came; may be none
    bool collapse_progress = false;
    std::size_t longest_line = LineSplitter::kLongestLine;  ///< a longer one is shown in parts
  };
  enum class Pumped {
    kMore,    ///< something came, and there may be more
    kEmpty,   ///< nothing is left there for now
    kEnded,   ///< nothing will ever come again
    kFailed,  ///< the kernel did not give what may be there (errno); a later try may succeed
  };
  struct Overflow {
    std::uint64_t lines = 0, bytes = 0;
    std::uint64_t lost = 0;  ///< bytes of these that its file did not take
  };

  WorkerStream(Description description, sys::UniqueFd reader, Console& console);
  WorkerStream(const WorkerStream&) = delete;
  WorkerStream& operator=(const WorkerStream&) = delete;

  /// Passes on what one read into `buffer` gives.
  Pumped pump(std::span<char> buffer);
  /// Passes on the unfinished line if it began before `limit`.
  void flush_unfinished(sys::TimePoint limit);
  /// Passes on what is left and closes the pipe.
  void close();

  int rank() const { return description_.rank; }
  Stream stream() const { return description_.stream; }
  bool open() const { return static_cast<bool>(reader_); }
  sys::BorrowedFd reader() const { return reader_.borrow(); }
  Console& console() const { return console_; }
  const Tail& tail() const { return tail_; }

  /// True when it must not be read now.
  bool held_up() const {
    return description_.waits_for_room && shown() && (console_.full() || console_.crowded());
  }
  /// Since when the line that is held back is; nothing when none is.
  std::optional<sys::TimePoint> unfinished_since() const;
  /// The time that the line has to end begins anew.
  void restart_unfinished(sys::TimePoint now) { unfinished_since_ = now; }

  /// What the console did not take since this was asked last.
  Overflow take_overflow() { return std::exchange(overflow_, {}); }
  const LogFile* overflow_file() const { return description_.overflow.get(); }
  /// Bytes that the file of everything did not take.
  std::uint64_t lost_in_file() const { return lost_in_file_; }

 private:
  bool shown() const { return description_.passing != Passing::kNothing; }
  void pass(std::string_view bytes, sys::TimePoint now);
  void deliver(std::string_view bytes);
  void show(std::string_view bytes);
  void overflow(std::string_view bytes);

  Description description_;
  sys::UniqueFd reader_;
  Console& console_;
  LineSplitter splitter_;
  std::optional<ProgressFilter> progress_;
  Tail tail_;
  sys::TimePoint unfinished_since_;
  bool overflowing_line_ = false;  ///< the beginning of this line overflowed
  Overflow overflow_;
  std::uint64_t lost_in_file_ = 0;
};

}  // namespace trainit::logs
