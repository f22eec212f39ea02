#include "logs/relay.h"

#include <fmt/core.h>

#include <algorithm>

#include "sys/posix.h"

namespace trainit::logs {
namespace {

constexpr std::size_t kReadBytes = std::size_t{128} * 1024;
/// Reads in a row before the others have their turn.
constexpr int kReadsPerTurn = 4;
/// More than a pipe holds: whoever writes on all the time does not keep us.
constexpr int kReadsOfCut = 16;
constexpr sys::Duration kRetry = std::chrono::milliseconds(20);

std::string prefix_of(int rank, int workers) {
  return rank == 0 || workers == 1 ? std::string() : fmt::format("[rank {}] ", rank);
}

}  // namespace

Relay::Relay(sys::EventLoop& loop, int workers, RelayOptions options)
    : loop_(loop), workers_(workers), options_(std::move(options)), buffer_(kReadBytes) {
  Outlet out(options_.stdout_fd), err(options_.stderr_fd);
  const bool one_place = out.leads_where(err);
  const std::size_t limit = one_place ? options_.memory : options_.memory / 2;
  own_stdout_ = std::make_unique<Console>(loop, std::move(out), "stdout", limit);
  if (!one_place) own_stderr_ = std::make_unique<Console>(loop, std::move(err), "stderr", limit);
  stdout_ = own_stdout_.get();
  stderr_ = one_place ? stdout_ : own_stderr_.get();
  for (Console* console : {stdout_, stderr_}) {
    console->on_room([this, console] { resume(*console); });
  }
}

Relay::~Relay() {
  loop_.cancel(flush_timer_);
  loop_.cancel(watch_timer_);
  for (const auto& stream : streams_) {
    if (stream->open()) loop_.unwatch(stream->reader());
  }
}

void Relay::say(std::string_view lines) { stderr_->say(lines); }

void Relay::add_worker(int rank, WorkerPipes pipes) {
  // Of an earlier round of this rank only an output that somebody still holds is of interest.
  std::erase_if(streams_, [&](const auto& old) { return old->rank() == rank && !old->open(); });
  add_stream(rank, Stream::kStdout, std::move(pipes.stdout_reader));
  add_stream(rank, Stream::kStderr, std::move(pipes.stderr_reader));
}

void Relay::add_stream(int rank, Stream stream, sys::UniqueFd reader) {
  using Passing = WorkerStream::Passing;
  const Passing passing = workers_ > 1         ? Passing::kEndedLines
                          : stdout_ == stderr_ ? Passing::kLines
                                               : Passing::kBytes;
  WorkerStream::Description description{rank, stream, next_source_++, prefix_of(rank, workers_),
                                        passing};
  streams_.push_back(std::make_unique<WorkerStream>(std::move(description), std::move(reader),
                                                    console_of(stream)));
  watch(*streams_.back());
}

void Relay::watch(WorkerStream& stream) {
  if (loop_.watch(stream.reader(), EPOLLIN, [this, &stream](std::uint32_t) { read(stream); })) {
    if (stream.console().full()) loop_.change(stream.reader(), 0);
    return;
  }
  // Out of kernel memory or watches, which passes; to close the pipe would kill the worker.
  unwatched_.push_back(&stream);
  if (watch_timer_ == 0) watch_timer_ = loop_.after(kRetry, [this] { watch_again(); });
}

void Relay::watch_again() {
  watch_timer_ = 0;
  const auto refused = std::exchange(unwatched_, {});
  for (const auto& stream : streams_) {
    const bool was_refused =
        std::find(refused.begin(), refused.end(), stream.get()) != refused.end();
    if (was_refused && stream->open()) watch(*stream);
  }
}

void Relay::read(WorkerStream& stream) {
  for (int i = 0; i < kReadsPerTurn && !stream.console().full(); ++i) {
    const WorkerStream::Pumped pumped = stream.pump(buffer_);
    if (pumped == WorkerStream::Pumped::kEnded) return end(stream);
    if (pumped == WorkerStream::Pumped::kEmpty) break;
  }
  arm_flush(stream);
  if (stream.console().full()) pause(stream.console());
}

void Relay::end(WorkerStream& stream) {
  loop_.unwatch(stream.reader());
  std::erase(unwatched_, &stream);
  stream.close();
}

void Relay::pause(const Console& console) {
  for (const auto& stream : streams_) {
    if (stream->open() && &stream->console() == &console) loop_.change(stream->reader(), 0);
  }
}

void Relay::resume(const Console& console) {
  const sys::TimePoint now = sys::Clock::now();
  for (const auto& stream : streams_) {
    if (!stream->open() || &stream->console() != &console) continue;
    loop_.change(stream->reader(), EPOLLIN);
    stream->restart_unfinished(now);  // its end may have been in the pipe all the time
    arm_flush(*stream);
  }
}

void Relay::arm_flush(const WorkerStream& stream) {
  const auto since = stream.unfinished_since();
  if (flush_timer_ != 0 || !since) return;
  flush_timer_ = loop_.at(*since + kUnfinishedLine, [this] { flush_unfinished(); });
}

void Relay::flush_unfinished() {
  flush_timer_ = 0;
  const sys::TimePoint now = sys::Clock::now();
  for (const auto& stream : streams_) {
    if (!stream->open() || stream->console().full()) continue;
    flush_unfinished(*stream, now);
    if (stream->open()) arm_flush(*stream);
  }
}

void Relay::flush_unfinished(WorkerStream& stream, sys::TimePoint now) {
  const sys::TimePoint limit = now - kUnfinishedLine;
  const auto since = stream.unfinished_since();
  if (!since || *since > limit) return;
  // When we were kept from running, the line's end may be there by now.
  read(stream);
  if (stream.open()) stream.flush_unfinished(limit);
}

bool Relay::drained() const {
  return std::none_of(streams_.begin(), streams_.end(),
                      [](const auto& stream) { return stream->open(); });
}

void Relay::cut() {
  for (const auto& stream : streams_) {
    if (!stream->open()) continue;
    for (int i = 0; i < kReadsOfCut; ++i) {
      if (stream->pump(buffer_) != WorkerStream::Pumped::kMore) break;
    }
    end(*stream);
  }
}

std::size_t Relay::queued() const {
  return stdout_->queued() + (stderr_ == stdout_ ? 0 : stderr_->queued());
}

void Relay::finish(sys::Duration patience, sys::Duration deadline) {
  cut();
  const sys::TimePoint latest = sys::Clock::now() + deadline;
  stdout_->finish(patience, latest);
  stderr_->finish(patience, latest);
}

const WorkerStream* Relay::find(int rank, Stream stream) const {
  const auto found = std::find_if(streams_.rbegin(), streams_.rend(), [&](const auto& candidate) {
    return candidate->rank() == rank && candidate->stream() == stream;
  });
  return found == streams_.rend() ? nullptr : found->get();
}

std::string Relay::tail(int rank, Stream stream) const {
  const WorkerStream* found = find(rank, stream);
  return found == nullptr ? std::string() : std::string(found->tail().text());
}

sys::TimePoint Relay::arrived_at(int rank, Stream stream, std::size_t offset) const {
  const WorkerStream* found = find(rank, stream);
  return found == nullptr ? sys::TimePoint() : found->tail().arrived_at(offset);
}

sys::TimePoint Relay::first_error_at(int rank) const {
  for (const Stream stream : {Stream::kStderr, Stream::kStdout}) {
    const WorkerStream* found = find(rank, stream);
    if (found == nullptr) continue;
    if (const auto at = found->tail().first_line_at(options_.is_error)) return *at;
  }
  return {};
}

void Relay::on_trouble(const std::function<void(const std::string& text)>& callback) {
  stdout_->on_trouble(callback);
  stderr_->on_trouble(callback);
}

Console::Counts Relay::counts() const {
  Console::Counts sum = stdout_->counts();
  if (stderr_ != stdout_) {
    sum.inserted_line_ends += stderr_->counts().inserted_line_ends;
    sum.lost_bytes += stderr_->counts().lost_bytes;
  }
  return sum;
}

}  // namespace trainit::logs
