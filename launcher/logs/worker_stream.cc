#include "logs/worker_stream.h"

#include <algorithm>
#include <cerrno>

#include "sys/files.h"

namespace trainit::logs {

WorkerStream::WorkerStream(Description description, sys::UniqueFd reader, Console& console)
    : description_(std::move(description)),
      reader_(std::move(reader)),
      console_(console),
      splitter_(description_.longest_line) {
  if (description_.collapse_progress) {
    progress_.emplace([this](std::string_view bytes) { show(bytes); });
  }
}

WorkerStream::Pumped WorkerStream::pump(std::span<char> buffer) {
  const ssize_t count = sys::read_some(reader_.borrow(), buffer.data(), buffer.size());
  if (count > 0) {
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
    pass(bytes, sys::Clock::now());
    // A pipe gives all it has, as far as it fits.
    return bytes.size() < buffer.size() ? Pumped::kEmpty : Pumped::kMore;
  }
  if (count == 0) return Pumped::kEnded;
  return errno == EAGAIN ? Pumped::kEmpty : Pumped::kFailed;
}

void WorkerStream::pass(std::string_view bytes, sys::TimePoint now) {
  tail_.append(bytes, now);
  if (description_.file) lost_in_file_ += description_.file->append(bytes);
  if (!shown()) return;
  if (description_.passing == Passing::kBytes) return show(bytes);
  const Console::Batch batch(console_);
  bool new_line = !splitter_.unfinished();
  splitter_.feed(bytes, [&](std::string_view lines) {
    deliver(lines);
    new_line = true;
  });
  if (new_line) unfinished_since_ = now;
}

void WorkerStream::deliver(std::string_view bytes) {
  if (progress_) {
    progress_->feed(bytes, sys::Clock::now());
  } else {
    show(bytes);
  }
}

void WorkerStream::show(std::string_view bytes) {
  if (overflowing_line_) {
    const std::size_t line_end = bytes.find('\n');
    overflowing_line_ = line_end == std::string_view::npos;
    const std::string_view rest_of_line =
        bytes.substr(0, overflowing_line_ ? line_end : line_end + 1);
    overflow(rest_of_line);
    bytes.remove_prefix(rest_of_line.size());
  }
  if (bytes.empty()) return;
  if (description_.waits_for_room || !console_.full()) {
    return console_.append(description_.source, description_.prefix, bytes);
  }
  overflowing_line_ = bytes.back() != '\n';
  overflow(bytes);
}

void WorkerStream::overflow(std::string_view bytes) {
  overflow_.bytes += bytes.size();
  overflow_.lines += static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
  if (description_.overflow) overflow_.lost += description_.overflow->append(bytes);
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
  if (progress_) progress_->finish();
  console_.source_ended(description_.source);
  reader_.reset();
}

}  // namespace trainit::logs
