#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "logs/console.h"
#include "logs/worker_pipes.h"
#include "logs/worker_stream.h"
#include "sys/event_loop.h"

namespace trainit::logs {

struct RelayOptions {
  int stdout_fd = 1, stderr_fd = 2;            ///< where it all goes; they stay the caller's
  std::size_t memory = std::size_t{64} << 20;  ///< bytes that may be queued, in all
  Tail::LinePredicate is_error = looks_like_error;
};

/// Carries what the workers of this host print to our own stdout and stderr, and our own log lines
/// among it.
///
/// One worker's bytes pass unchanged. With several, lines stay whole, the two streams stay apart,
/// rank 0 is plain and the others' lines begin with "[rank 3] ". A line that has not ended after
/// 200 ms is passed on as far as it is; if another rank's line comes next, it is given an end.
/// Readers that do not keep up make us stop reading, so that the workers wait as they would without
/// us. Nothing here blocks, fails, or ends the process.
class Relay {
 public:
  Relay(sys::EventLoop& loop, int workers, RelayOptions options = {});
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();

  /// Writes lines of our own to stderr.
  void say(std::string_view lines);
  /// Takes our ends of the pipes and closes the worker's, which it has by now.
  void add_worker(int rank, WorkerPipes pipes);

  /// True when every pipe has reached its end.
  bool drained() const;
  /// Takes what the pipes hold now and closes them, although somebody still has their other ends.
  void cut();
  /// How many bytes our readers have not taken yet.
  std::size_t queued() const;
  /// Waits until our readers have taken everything, but at most `patience` without any progress and
  /// at most `deadline` in all. For the very end, outside the loop.
  void finish(sys::Duration patience = std::chrono::seconds(2),
              sys::Duration deadline = std::chrono::seconds(10));

  /// The last 64 KiB at most of what a rank printed there.
  std::string tail(int rank, Stream stream) const;
  /// When the byte at this offset of such a tail arrived; the epoch when there is no such stream.
  sys::TimePoint arrived_at(int rank, Stream stream, std::size_t offset) const;
  /// When the first line that looks like an error arrived, of those that its tails still hold:
  /// stderr's, or stdout's if that has none; the epoch when neither has one.
  sys::TimePoint first_error_at(int rank) const;

  /// Called, at most once for each cause, with a sentence that says why output is being lost.
  void on_trouble(const std::function<void(const std::string& text)>& callback);
  /// What happened to the two streams together.
  Console::Counts counts() const;

 private:
  void add_stream(int rank, Stream stream, sys::UniqueFd reader);
  void watch(WorkerStream& stream);
  void watch_again();
  void read(WorkerStream& stream);
  void end(WorkerStream& stream);
  void pause(const Console& console);
  void resume(const Console& console);
  void arm_flush(const WorkerStream& stream);
  void flush_unfinished();
  void flush_unfinished(WorkerStream& stream, sys::TimePoint now);
  Console& console_of(Stream stream) { return stream == Stream::kStderr ? *stderr_ : *stdout_; }
  const WorkerStream* find(int rank, Stream stream) const;

  sys::EventLoop& loop_;
  int workers_;
  RelayOptions options_;
  std::unique_ptr<Console> own_stdout_, own_stderr_;  ///< one only, when both lead to one place
  Console *stdout_, *stderr_;
  std::vector<std::unique_ptr<WorkerStream>> streams_;
  std::vector<char> buffer_;
  Console::Source next_source_ = 0;
  std::vector<const WorkerStream*> unwatched_;                 ///< that epoll has refused so far
  sys::EventLoop::TimerId flush_timer_ = 0, watch_timer_ = 0;  ///< 0: none
};

}  // namespace trainit::logs
