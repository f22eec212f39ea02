#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "logs/byte_queue.h"
#include "logs/outlet.h"
#include "sys/event_loop.h"

namespace trainit::logs {

/// How long a line may stay without its end before others may write behind it, unless said
/// otherwise.
inline constexpr sys::Duration kUnfinishedLine = std::chrono::milliseconds(200);

/// Our own stdout or stderr, shared by everybody who writes there: the streams of the workers, and
/// our own log. Keeps their lines whole, queues what the reader does not take yet, and never
/// blocks, fails or exits.
class Console {
 public:
  /// Who writes. Streams of workers have numbers from 0.
  using Source = int;

  struct Counts {
    std::uint64_t inserted_line_ends = 0;  ///< put behind somebody's unfinished line
    std::uint64_t lost_bytes = 0;          ///< that nobody took: a full disk, a reader that is gone
  };

  /// `name` is for people; `limit` in bytes. The outlet's descriptor stays open as long as this
  /// lives.
  Console(sys::EventLoop& loop, Outlet outlet, std::string name, std::size_t limit,
          sys::Duration unfinished_line = kUnfinishedLine);
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  ~Console();

  /// Writes or queues bytes of one source, each line (but the rest of one that it left open) behind
  /// `prefix`. A line that another source left open is ended first.
  void append(Source source, std::string_view prefix, std::string_view bytes);
  /// While one of these lives, what is appended is only queued, so that it is written at one go.
  class Batch {
   public:
    explicit Batch(Console& console) : console_(console) { ++console_.batches_; }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch() { console_.end_batch(); }

   private:
    Console& console_;
  };
  /// That source writes no more. A line that it left open gets its end when somebody else writes.
  void source_ended(Source source);
  /// Writes or queues lines of our own. They wait, but not long, for the end of a line in progress.
  void say(std::string_view lines);

  /// True from when the queue has reached the limit until half of it is gone: no more, please.
  /// Bytes that come nevertheless are queued all the same.
  bool full() const { return full_; }
  /// True while more would only lie in our memory, with a reader that takes what it gets at a good
  /// speed: little is queued then, so that it stays in the processor's cache. A slow reader makes
  /// nobody crowd: what it has not taken is kept for it, up to the limit.
  bool crowded() const { return crowded_; }
  /// Called when it is neither full nor crowded any more.
  void on_room(std::function<void()> callback) { on_room_ = std::move(callback); }
  /// Called, once for each kind, with a sentence that says why output is being lost.
  void on_trouble(std::function<void(const std::string& text)> callback) {
    on_trouble_ = std::move(callback);
  }

  /// Waits until all is written, but at most until `deadline`, and no longer than until the reader
  /// has taken nothing for `patience`; that counts also before this is called. What is left then is
  /// dropped. False, and nothing is dropped: `interrupt` became readable. For the very end, outside
  /// the loop.
  bool finish(sys::Duration patience, sys::TimePoint deadline,
              sys::BorrowedFd interrupt = sys::BorrowedFd(-1));

  const Outlet& outlet() const { return outlet_; }
  const Counts& counts() const { return counts_; }
  std::size_t queued() const { return queue_.size(); }

 private:
  static constexpr Source kOurselves = -1;
  static constexpr Source kNobody = -2;
  static constexpr Source kTorn = -3;  ///< what should follow was lost

  void put(Source source, std::string_view prefix, std::string_view bytes);
  void end_open_line();
  void push_prefixed(std::string_view prefix, std::string_view bytes, bool at_line_start);
  void push_or_write(std::string_view bytes);
  void end_batch();
  void hold(std::string_view lines);
  void release_held();

  void flush();
  void note_written(std::string_view offered, const Offer& offer);
  bool settle(const Offer& offer);
  void give_up(const Offer& offer);
  void drop_queue();
  void tell(const Offer& offer);
  void wait_for_room();
  bool watch_outlet();
  void update_room();
  void start_window();
  void look_at_reader();

  sys::EventLoop& loop_;
  Outlet outlet_;
  std::string name_;
  std::size_t limit_;
  sys::Duration unfinished_line_;
  ByteQueue queue_;
  std::string held_;
  sys::EventLoop::TimerId held_timer_ = 0, retry_timer_ = 0, window_timer_ = 0;  ///< 0: none
  Source open_by_ = kNobody;  ///< who left the last line open
  sys::TimePoint opened_at_;
  sys::TimePoint stuck_since_;  ///< when the reader last took something, while something is queued
  char last_written_ = '\n';
  bool full_ = false, crowded_ = false, reader_is_slow_ = false;
  int batches_ = 0;
  std::uint64_t written_ = 0, written_before_window_ = 0;
  bool gone_ = false, failure_told_ = false, watched_ = false, waiting_ = false;
  Counts counts_;
  std::function<void()> on_room_;
  std::function<void(const std::string&)> on_trouble_;
};

}  // namespace trainit::logs
