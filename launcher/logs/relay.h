#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "logs/console.h"
#include "logs/relay_options.h"
#include "logs/tail.h"
#include "logs/worker_pipes.h"
#include "logs/worker_stream.h"
#include "sys/event_loop.h"

namespace trainit::logs {

/// Carries what the workers of this host print to our own stdout and stderr, and our own log lines
/// among it.
///
/// One worker's bytes pass unchanged. With several, lines stay whole, the two streams stay apart,
/// rank 0 is plain and the others' lines begin with "[rank 3] ". A line that has not ended after
/// 200 ms is passed on as far as it is; if another rank's line comes next, it is given an end. One
/// worker's lines stay whole so too where both its streams lead to one place, but nothing is added
/// to them. Readers that do not keep up make us stop reading, so that the workers wait as they
/// would without us. All this is as long as the options do not say otherwise. Nothing here blocks,
/// fails, or ends the process.
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
  /// Takes what the pipes hold now, those of stderr first, as far as our readers and `patience`
  /// keep up, so that what was said before this moment has arrived before it.
  void catch_up(sys::Duration patience);
  /// Takes what the pipes hold now and closes them, although somebody still has their other ends.
  void cut();
  /// How many bytes our readers have not taken yet.
  std::size_t queued() const;
  /// Waits until our readers have taken everything, but at most `patience` without any progress and
  /// at most `deadline` in all; what they have not taken then is dropped and told. False:
  /// `interrupt` became readable before that, and this is to be called again. For the very end,
  /// outside the loop.
  bool finish(sys::Duration patience = std::chrono::seconds(2),
              sys::Duration deadline = std::chrono::seconds(10),
              sys::BorrowedFd interrupt = sys::BorrowedFd(-1));

  /// The last 64 KiB at most of what a rank printed there.
  std::string tail(int rank, Stream stream) const;
  /// How that began of which such a tail is the end.
  Tail::Beginning beginning(int rank, Stream stream) const;
  /// When the byte at this offset of such a tail arrived; the epoch when there is no such stream.
  sys::TimePoint arrived_at(int rank, Stream stream, std::size_t offset) const;

  /// Called with a sentence that says why output is being lost: at most once for each cause, and
  /// whenever lines that a reader did not take have been dropped or spilled.
  void on_trouble(std::function<void(const std::string& text)> callback);
  /// What happened to the two streams together.
  Console::Counts counts() const;
  /// Sentences for the end of the job: what was cut off, inserted, lost, dropped and spilled in
  /// all.
  std::vector<std::string> remarks() const;

 private:
  void tell_owner_error(int error);
  void add_stream(int rank, Stream stream, sys::UniqueFd reader);
  WorkerStream::Description describe(int rank, Stream stream);
  bool adds_nothing(const std::string& prefix) const;
  WorkerStream::Passing passing_of(int rank, const std::string& prefix) const;
  std::string prefix_of(int rank, Stream stream) const;
  std::unique_ptr<LogFile> make_file(const LogDirectory& directory,
                                     const WorkerStream::Description& stream,
                                     std::string_view ending, std::uint64_t limit);
  void tell(const std::string& text) const;
  void watch(WorkerStream& stream);
  void watch_later(const WorkerStream& stream);
  void watch_again();
  void read_later(const WorkerStream& stream, int error);
  void read(WorkerStream& stream);
  void end(WorkerStream& stream);
  void pause(const Console& console);
  void resume(const Console& console);
  void tell_overflow(WorkerStream& stream);
  void arm_flush(const WorkerStream& stream);
  void flush_unfinished();
  void flush_unfinished(WorkerStream& stream, sys::TimePoint now);
  Console& console_of(Stream stream) { return stream == Stream::kStderr ? *stderr_ : *stdout_; }
  const WorkerStream* find(int rank, Stream stream) const;

  /// Both streams of a worker to whose bytes nothing is added: no line end stands between them.
  static constexpr Console::Source kOnlyWorker = 0;

  sys::EventLoop& loop_;
  int workers_;
  RelayOptions options_;
  LogDirectory directory_, spill_directory_;
  std::unique_ptr<Console> own_stdout_, own_stderr_;  ///< one only, when both lead to one place
  Console *stdout_, *stderr_;
  std::uint64_t lost_in_files_ = 0;  ///< bytes of all streams that have ended
  std::vector<std::unique_ptr<WorkerStream>> streams_;
  std::unique_ptr<char[]> buffer_;  ///< what is read, of whomever; memory that is first used then
  std::size_t longest_line_;
  Console::Source next_source_ = kOnlyWorker + 1;
  std::function<void(const std::string& text)> on_trouble_;
  bool owner_error_told_ = false, read_trouble_told_ = false;
  bool held_at_cut_ = false;                    ///< a pipe was cut off that had not reached its end
  WorkerStream::Overflow overflow_;             ///< of all streams together
  std::vector<const WorkerStream*> unwatched_;  ///< that epoll has refused so far
  sys::EventLoop::TimerId flush_timer_ = 0, watch_timer_ = 0;  ///< 0: none
};

}  // namespace trainit::logs
