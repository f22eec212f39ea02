#pragma once

#include <optional>
#include <span>
#include <string>

#include "logs/console.h"
#include "logs/line_splitter.h"
#include "logs/tail.h"
#include "sys/event_loop.h"
#include "sys/unique_fd.h"

namespace trainit::logs {

enum class Stream { kStdout, kStderr };

/// One output of one worker, on its way from its pipe to one of our consoles.
class WorkerStream {
 public:
  enum class Passing {
    kBytes,       ///< every byte at once, as it came
    kLines,       ///< whole lines, so that those of other streams can stand between them
    kEndedLines,  ///< as kLines; the last one gets an end if it has none
  };
  struct Description {
    int rank;
    Stream stream;
    Console::Source source;
    std::string prefix;
    Passing passing;
  };
  enum class Pumped {
    kMore,   ///< something came, and there may be more
    kEmpty,  ///< nothing is left there for now
    kEnded,  ///< nothing will ever come again
  };

  WorkerStream(Description description, sys::UniqueFd reader, Console& console)
      : description_(std::move(description)), reader_(std::move(reader)), console_(console) {}

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

  /// Since when the line that is held back is; nothing when none is.
  std::optional<sys::TimePoint> unfinished_since() const;
  /// The time that the line has to end begins anew.
  void restart_unfinished(sys::TimePoint now) { unfinished_since_ = now; }

 private:
  void pass(std::string_view bytes, sys::TimePoint now);
  void deliver(std::string_view bytes);

  Description description_;
  sys::UniqueFd reader_;
  Console& console_;
  LineSplitter splitter_;
  Tail tail_;
  sys::TimePoint unfinished_since_;
};

}  // namespace trainit::logs
