#include "logs/console.h"

#include <fmt/core.h>

#include <algorithm>

#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::logs {
namespace {

/// What our own lines may take beyond the limit, and while they are held back.
constexpr std::size_t kOwnLines = 1 << 20;
constexpr std::uint32_t kWritable = EPOLLOUT;
/// What is queued for a fast reader: it stays in the processor's cache, which halves the cost.
constexpr std::size_t kComfortable = std::size_t{256} * 1024;
/// A reader is slow that takes less than 25 MB/s.
constexpr sys::Duration kWindow = std::chrono::milliseconds(20);
constexpr std::uint64_t kTakenInWindow = 1 << 19;
/// To copy more than this into the queue costs more than a call of its own.
constexpr std::size_t kWorthAWrite = std::size_t{16} * 1024;
constexpr sys::Duration kRetry = std::chrono::milliseconds(20);

int milliseconds(sys::Duration duration) {
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

}  // namespace

Console::Console(sys::EventLoop& loop, Outlet outlet, std::string name, std::size_t limit,
                 sys::Duration unfinished_line)
    : loop_(loop),
      outlet_(std::move(outlet)),
      name_(std::move(name)),
      limit_(limit),
      unfinished_line_(unfinished_line) {}

Console::~Console() {
  if (watched_) loop_.unwatch(outlet_.descriptor());
  loop_.cancel(held_timer_);
  loop_.cancel(retry_timer_);
  loop_.cancel(window_timer_);
}

void Console::append(Source source, std::string_view prefix, std::string_view bytes) {
  if (!held_.empty()) {
    const std::size_t line_end = bytes.find('\n');
    if (source != open_by_) {
      release_held();
    } else if (line_end != std::string_view::npos) {
      put(source, prefix, bytes.substr(0, line_end + 1));
      bytes.remove_prefix(line_end + 1);
      release_held();
    }
  }
  put(source, prefix, bytes);
}

void Console::say(std::string_view lines) {
  const bool in_progress =
      open_by_ >= 0 && sys::Clock::now() - opened_at_ < unfinished_line_ && !gone_;
  if (!held_.empty() || in_progress) {
    hold(lines);
  } else if (queue_.size() > limit_ + kOwnLines) {
    counts_.lost_bytes += lines.size();
  } else {
    put(kOurselves, {}, lines);
  }
}

void Console::source_ended(Source source) {
  if (open_by_ != source) return;
  opened_at_ = {};
  if (!held_.empty()) release_held();
}

void Console::hold(std::string_view lines) {
  held_ += lines;
  if (held_.size() > kOwnLines) return release_held();
  if (held_timer_ != 0) return;
  held_timer_ = loop_.after(unfinished_line_, [this] { release_held(); });
}

void Console::release_held() {
  loop_.cancel(std::exchange(held_timer_, 0));
  const std::string lines = std::exchange(held_, {});
  put(kOurselves, {}, lines);
}

void Console::put(Source source, std::string_view prefix, std::string_view bytes) {
  if (bytes.empty()) return;
  if (gone_) {
    counts_.lost_bytes += bytes.size();
    return;
  }
  if (open_by_ != source) end_open_line();
  const bool at_line_start = open_by_ == kNobody;
  open_by_ = bytes.back() == '\n' ? kNobody : source;
  if (open_by_ != kNobody) opened_at_ = sys::Clock::now();
  if (prefix.empty()) {
    push_or_write(bytes);
  } else {
    push_prefixed(prefix, bytes, at_line_start);
  }
  if (!waiting_ && batches_ == 0) flush();
  update_room();
}

void Console::end_batch() {
  if (--batches_ == 0 && !waiting_) flush();
}

void Console::end_open_line() {
  if (open_by_ == kNobody) return;
  open_by_ = kNobody;
  ++counts_.inserted_line_ends;
  queue_.push("\n");
}

void Console::push_prefixed(std::string_view prefix, std::string_view bytes, bool at_line_start) {
  while (!bytes.empty()) {
    if (at_line_start) queue_.push(prefix);
    const std::size_t end = bytes.find('\n');
    const std::string_view line = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
    queue_.push(line);
    bytes.remove_prefix(line.size());
    at_line_start = true;
  }
}

void Console::push_or_write(std::string_view bytes) {
  const bool directly = batches_ == 0 || bytes.size() >= kWorthAWrite;
  if (directly && !waiting_) flush();
  if (directly && queue_.empty()) {
    const Offer offer = outlet_.offer(bytes);
    note_written(bytes, offer);
    queue_.push(bytes.substr(offer.bytes));
    settle(offer);
  } else {
    queue_.push(bytes);
  }
}

void Console::flush() {
  const std::uint64_t written_before = written_;
  bool more = true;
  while (more && !queue_.empty()) {
    const std::string_view front = queue_.front();
    const Offer offer = outlet_.offer(front);
    note_written(front, offer);
    queue_.pop(offer.bytes);
    more = settle(offer);
  }
  if (!queue_.empty() && (written_ != written_before || !waiting_))
    stuck_since_ = sys::Clock::now();
  wait_for_room();
  update_room();
}

void Console::note_written(std::string_view offered, const Offer& offer) {
  if (offer.bytes > 0) last_written_ = offered[offer.bytes - 1];
  written_ += offer.bytes;
}

/// Tells whether the outlet may take more.
bool Console::settle(const Offer& offer) {
  const bool failed = offer.state == Offer::State::kFailed || offer.state == Offer::State::kGone;
  if (failed) give_up(offer);
  return offer.state == Offer::State::kTaken;
}

void Console::give_up(const Offer& offer) {
  drop_queue();
  gone_ = offer.state == Offer::State::kGone;
  tell(offer);
}

void Console::drop_queue() {
  counts_.lost_bytes += queue_.size();
  queue_.clear();
  open_by_ = last_written_ == '\n' ? kNobody : kTorn;
}

void Console::tell(const Offer& offer) {
  if (!gone_ && std::exchange(failure_told_, true)) return;
  if (!on_trouble_) return;
  const std::string why = sys::errno_text(offer.error);
  on_trouble_(
      gone_ ? fmt::format("nobody reads {} any more ({}): the rest of it is dropped", name_, why)
            : fmt::format("{} cannot be written ({}): what does not fit is dropped", name_, why));
}

void Console::wait_for_room() {
  if (queue_.empty() == !waiting_) return;
  if (queue_.empty()) {
    // If that is refused, the next event comes at once and leads here again.
    waiting_ = watched_ && !loop_.change(outlet_.descriptor(), 0);
    return;
  }
  waiting_ = true;
  if (watch_outlet()) return;
  retry_timer_ = loop_.after(kRetry, [this] {
    retry_timer_ = 0;
    waiting_ = false;
    flush();
  });
}

/// Tells whether we are called when there is room: the kernel may be out of memory or watches.
bool Console::watch_outlet() {
  if (watched_) return loop_.change(outlet_.descriptor(), kWritable).has_value();
  watched_ =
      loop_.watch(outlet_.descriptor(), kWritable, [this](std::uint32_t) { flush(); }).has_value();
  return watched_;
}

void Console::update_room() {
  const bool had_room = !full_ && !crowded_;
  const std::size_t comfortable = std::min(kComfortable, limit_);
  if (queue_.size() >= limit_) full_ = true;
  if (queue_.size() <= limit_ / 2) full_ = false;
  if (queue_.size() >= comfortable) {
    crowded_ = !reader_is_slow_;
    if (window_timer_ == 0) start_window();
  } else if (queue_.size() <= comfortable / 2) {
    crowded_ = reader_is_slow_ = false;
  }
  if (!had_room && !full_ && !crowded_ && on_room_) on_room_();
}

void Console::start_window() {
  written_before_window_ = written_;
  window_timer_ = loop_.after(kWindow, [this] { look_at_reader(); });
}

void Console::look_at_reader() {
  window_timer_ = 0;
  reader_is_slow_ = written_ - written_before_window_ < kTakenInWindow;
  if (!crowded_) return;
  if (!reader_is_slow_) return start_window();
  crowded_ = false;
  if (!full_ && on_room_) on_room_();
}

bool Console::finish(sys::Duration patience, sys::TimePoint deadline, sys::BorrowedFd interrupt) {
  release_held();
  flush();
  while (!queue_.empty()) {
    const sys::Duration left = std::min(deadline, stuck_since_ + patience) - sys::Clock::now();
    if (left <= sys::Duration::zero()) break;
    pollfd entries[] = {{outlet_.descriptor().get(), POLLOUT, 0}, {interrupt.get(), POLLIN, 0}};
    posix::poll(entries, 2, milliseconds(left));
    if (entries[1].revents != 0) return false;
    flush();
  }
  if (!queue_.empty()) drop_queue();
  return true;
}

}  // namespace trainit::logs
