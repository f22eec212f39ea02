#include "logs/worker_stream.h"

#include <cerrno>

#include "sys/posix.h"

namespace trainit::logs {

WorkerStream::Pumped WorkerStream::pump(std::span<char> buffer) {
  const ssize_t count = posix::read(reader_.get(), buffer.data(), buffer.size());
  if (count > 0) {
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
    pass(bytes, sys::Clock::now());
    // A pipe gives all it has, as far as it fits.
    return bytes.size() < buffer.size() ? Pumped::kEmpty : Pumped::kMore;
  }
  if (count < 0 && errno == EINTR) return Pumped::kMore;
  return count < 0 && errno == EAGAIN ? Pumped::kEmpty : Pumped::kEnded;
}

void WorkerStream::pass(std::string_view bytes, sys::TimePoint now) {
  tail_.append(bytes, now);
  if (description_.passing == Passing::kBytes) {
    return deliver(bytes);
  }
  bool new_line = !splitter_.unfinished();
  splitter_.feed(bytes, [&](std::string_view lines) {
    deliver(lines);
    new_line = true;
  });
  if (new_line) unfinished_since_ = now;
}

void WorkerStream::deliver(std::string_view bytes) {
  console_.append(description_.source, description_.prefix, bytes);
}

void WorkerStream::flush_unfinished(sys::TimePoint limit) {
  if (!splitter_.unfinished() || unfinished_since_ > limit) return;
  splitter_.flush([&](std::string_view part) { deliver(part); });
  unfinished_since_ = sys::Clock::now();
}

std::optional<sys::TimePoint> WorkerStream::unfinished_since() const {
  if (!splitter_.unfinished()) return std::nullopt;
  return unfinished_since_;
}

void WorkerStream::close() {
  splitter_.finish([&](std::string_view part) { deliver(part); });
  console_.source_ended(description_.source, description_.passing == Passing::kEndedLines);
  reader_.reset();
}

}  // namespace trainit::logs
