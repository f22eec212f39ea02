#include "logs/relay.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/text.h"
#include "logs/prefix.h"
#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::logs {
namespace {

constexpr std::size_t kReadBytes = std::size_t{128} * 1024;
/// Reads in a row before the others have their turn.
constexpr int kReadsPerTurn = 4;
/// More than a pipe holds: whoever writes on all the time does not keep us.
constexpr int kReadsOfCut = 16;
constexpr sys::Duration kRetry = std::chrono::milliseconds(20);

constexpr std::string_view kPrefix = "[rank {rank}] ";

/// How much of a line without an end each of the streams may hold back: together a quarter of the
/// memory at most, the rest of which is for the queues.
std::size_t longest_line(std::size_t memory, int workers) {
  const std::size_t streams = 2 * static_cast<std::size_t>(workers);
  return std::min(memory / 4 / streams, LineSplitter::kLongestLine);
}

/// Where lines are that were not read in time: "in /spill, but for 2.1 MB that could not be
/// written". Without a place for them, or if that took nothing: "dropped".
std::string whereabouts(const WorkerStream::Overflow& overflow, const std::string& place) {
  if (place.empty() || overflow.lost == overflow.bytes) return "dropped";
  if (overflow.lost == 0) return "in " + place;
  return fmt::format("in {}, but for {} that could not be written", place,
                     human_bytes(overflow.lost));
}

}  // namespace

Relay::Relay(sys::EventLoop& loop, int workers, RelayOptions options)
    : loop_(loop),
      workers_(workers),
      options_(std::move(options)),
      directory_(options_.directory),
      spill_directory_(options_.spill_directory),
      buffer_(std::make_unique_for_overwrite<char[]>(kReadBytes)),
      longest_line_(longest_line(options_.memory, workers)) {
  Outlet out(options_.stdout_fd), err(options_.stderr_fd);
  const bool one_place = out.leads_where(err);
  const std::size_t for_queues =
      options_.memory - 2 * static_cast<std::size_t>(workers) * longest_line_;
  const std::size_t limit = one_place ? for_queues : for_queues / 2;
  own_stdout_ =
      std::make_unique<Console>(loop, std::move(out), "stdout", limit, options_.unfinished_line);
  if (!one_place)
    own_stderr_ =
        std::make_unique<Console>(loop, std::move(err), "stderr", limit, options_.unfinished_line);
  stdout_ = own_stdout_.get();
  stderr_ = one_place ? stdout_ : own_stderr_.get();
  for (Console* console : {stdout_, stderr_}) {
    console->on_room([this, console] { resume(*console); });
    console->on_trouble([this](const std::string& text) { tell(text); });
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
  tell_owner_error(pipes.owner_error);
  add_stream(rank, Stream::kStdout, std::move(pipes.stdout_reader));
  add_stream(rank, Stream::kStderr, std::move(pipes.stderr_reader));
}

void Relay::tell_owner_error(int error) {
  if (error == 0 || std::exchange(owner_error_told_, true)) return;
  tell(fmt::format(
      "the workers' user cannot be given the pipes of its output ({}): a program that opens "
      "/dev/stdout or /dev/stderr again will not be able to",
      sys::errno_text(error)));
}

void Relay::add_stream(int rank, Stream stream, sys::UniqueFd reader) {
  streams_.push_back(std::make_unique<WorkerStream>(describe(rank, stream), std::move(reader),
                                                    console_of(stream)));
  watch(*streams_.back());
}

WorkerStream::Description Relay::describe(int rank, Stream stream) {
  WorkerStream::Description result;
  result.rank = rank;
  result.stream = stream;
  result.prefix = prefix_of(rank, stream);
  result.passing = passing_of(rank, result.prefix);
  result.source = adds_nothing(result.prefix) ? kOnlyWorker : next_source_++;
  result.waits_for_room = options_.when_full == WhenFull::kBlock;
  result.collapse_progress = options_.collapse_progress;
  result.longest_line = longest_line_;
  if (options_.when_full == WhenFull::kSpill)
    result.overflow = make_file(spill_directory_, result, "spilled.log", 0);
  if (!options_.directory.empty())
    result.file = make_file(directory_, result, "log", options_.file_bytes);
  return result;
}

WorkerStream::Passing Relay::passing_of(int rank, const std::string& prefix) const {
  using Passing = WorkerStream::Passing;
  if (options_.only_rank_zero && rank != 0) return Passing::kNothing;
  return adds_nothing(prefix) && stdout_ != stderr_ ? Passing::kBytes : Passing::kLines;
}

/// Whether what comes out of us is what came in, byte for byte.
bool Relay::adds_nothing(const std::string& prefix) const {
  return workers_ == 1 && prefix.empty() && !options_.collapse_progress &&
         options_.when_full == WhenFull::kBlock;
}

std::string Relay::prefix_of(int rank, Stream stream) const {
  if (rank == 0 && !options_.prefix_rank_zero) return {};
  if (workers_ == 1 && !options_.prefix) return {};
  const PrefixValues values{rank, rank - options_.first_rank, options_.host, name_of(stream)};
  return render_prefix(options_.prefix.value_or(std::string(kPrefix)), values).value_or("");
}

std::unique_ptr<LogFile> Relay::make_file(const LogDirectory& directory,
                                          const WorkerStream::Description& stream,
                                          std::string_view ending, std::uint64_t limit) {
  const std::string name =
      fmt::format("rank-{}.{}.{}", stream.rank, name_of(stream.stream), ending);
  return std::make_unique<LogFile>(directory, name, limit, options_.files_kept,
                                   [this](const std::string& text) { tell(text); });
}

void Relay::tell(const std::string& text) const {
  if (on_trouble_) on_trouble_(text);
}

void Relay::watch(WorkerStream& stream) {
  if (loop_.watch(stream.reader(), EPOLLIN, [this, &stream](std::uint32_t) { read(stream); })) {
    if (stream.held_up()) pause(stream.console());
  } else {
    watch_later(stream);
  }
}

/// Out of kernel memory or watches, which passes; to close the pipe would kill the worker.
void Relay::watch_later(const WorkerStream& stream) {
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

void Relay::catch_up(sys::Duration patience) {
  const sys::TimePoint latest = sys::Clock::now() + patience;
  for (const Stream which : {Stream::kStderr, Stream::kStdout}) {
    for (const auto& stream : streams_) {
      if (stream->stream() != which || !stream->open() || stream->held_up()) continue;
      if (sys::Clock::now() >= latest) return;
      read(*stream);
    }
  }
}

void Relay::read(WorkerStream& stream) {
  for (int i = 0; i < kReadsPerTurn && !stream.held_up(); ++i) {
    const WorkerStream::Pumped pumped = stream.pump({buffer_.get(), kReadBytes});
    if (pumped == WorkerStream::Pumped::kEnded) return end(stream);
    if (pumped == WorkerStream::Pumped::kFailed) read_later(stream, errno);
    if (pumped != WorkerStream::Pumped::kMore) break;
  }
  arm_flush(stream);
  if (stream.held_up()) pause(stream.console());
}

/// To give the pipe up would kill the worker, and to try at once would keep us from all else.
void Relay::read_later(const WorkerStream& stream, int error) {
  loop_.unwatch(stream.reader());
  watch_later(stream);
  if (std::exchange(read_trouble_told_, true)) return;
  tell(fmt::format("{} of rank {} cannot be read ({}): trying again", name_of(stream.stream()),
                   stream.rank(), sys::errno_text(error)));
}

void Relay::end(WorkerStream& stream) {
  loop_.unwatch(stream.reader());
  std::erase(unwatched_, &stream);
  stream.close();
  lost_in_files_ += stream.lost_in_file();
  tell_overflow(stream);
}

void Relay::pause(const Console& console) {
  for (const auto& stream : streams_) {
    // If that is refused, the next event comes at once and leads here again.
    if (stream->open() && stream->held_up() && &stream->console() == &console)
      static_cast<void>(loop_.change(stream->reader(), 0));
  }
}

void Relay::resume(const Console& console) {
  const sys::TimePoint now = sys::Clock::now();
  for (const auto& stream : streams_) {
    if (!stream->open() || &stream->console() != &console) continue;
    if (!loop_.change(stream->reader(), EPOLLIN)) {
      loop_.unwatch(stream->reader());
      watch_later(*stream);
    }
    stream->restart_unfinished(now);  // its end may have been in the pipe all the time
    arm_flush(*stream);
    tell_overflow(*stream);
  }
}

void Relay::tell_overflow(WorkerStream& stream) {
  const WorkerStream::Overflow overflow = stream.take_overflow();
  if (overflow.bytes == 0) return;
  overflow_.lines += overflow.lines;
  overflow_.bytes += overflow.bytes;
  overflow_.lost += overflow.lost;
  const LogFile* file = stream.overflow_file();
  tell(fmt::format("{} was not read fast enough: {} lines ({}) of rank {} are {}",
                   name_of(stream.stream()), overflow.lines, human_bytes(overflow.bytes),
                   stream.rank(),
                   whereabouts(overflow, file == nullptr ? "" : file->path() + " instead")));
}

void Relay::arm_flush(const WorkerStream& stream) {
  const auto since = stream.unfinished_since();
  if (flush_timer_ != 0 || !since) return;
  flush_timer_ = loop_.at(*since + options_.unfinished_line, [this] { flush_unfinished(); });
}

void Relay::flush_unfinished() {
  flush_timer_ = 0;
  const sys::TimePoint now = sys::Clock::now();
  for (const auto& stream : streams_) {
    if (!stream->open() || stream->held_up()) continue;
    flush_unfinished(*stream, now);
    if (stream->open()) arm_flush(*stream);
  }
}

void Relay::flush_unfinished(WorkerStream& stream, sys::TimePoint now) {
  const sys::TimePoint limit = now - options_.unfinished_line;
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
    auto pumped = WorkerStream::Pumped::kMore;
    for (int i = 0; i < kReadsOfCut && pumped != WorkerStream::Pumped::kEnded; ++i)
      pumped = stream->pump({buffer_.get(), kReadBytes});
    if (pumped != WorkerStream::Pumped::kEnded) held_at_cut_ = true;
    end(*stream);
  }
}

std::size_t Relay::queued() const {
  return stdout_->queued() + (stderr_ == stdout_ ? 0 : stderr_->queued());
}

bool Relay::finish(sys::Duration patience, sys::Duration deadline, sys::BorrowedFd interrupt) {
  cut();
  const std::uint64_t lost_before = counts().lost_bytes;
  const sys::TimePoint latest = sys::Clock::now() + deadline;
  if (!stdout_->finish(patience, latest, interrupt)) return false;
  if (!stderr_->finish(patience, latest, interrupt)) return false;
  const std::uint64_t lost = counts().lost_bytes - lost_before;
  // It comes through if it was only stdout that was slow, or there is room again.
  if (lost > 0)
    tell(fmt::format("the last {} of the output were not read in time, and are dropped",
                     human_bytes(lost)));
  return true;
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

Tail::Beginning Relay::beginning(int rank, Stream stream) const {
  const WorkerStream* found = find(rank, stream);
  return found == nullptr ? Tail::Beginning() : found->tail().beginning();
}

sys::TimePoint Relay::arrived_at(int rank, Stream stream, std::size_t offset) const {
  const WorkerStream* found = find(rank, stream);
  return found == nullptr ? sys::TimePoint() : found->tail().arrived_at(offset);
}

void Relay::on_trouble(std::function<void(const std::string& text)> callback) {
  on_trouble_ = std::move(callback);
}

std::vector<std::string> Relay::remarks() const {
  std::vector<std::string> remarks;
  const Console::Counts sum = counts();
  if (held_at_cut_)
    remarks.emplace_back(
        "somebody still held the workers' output open at the end; what they wrote later is not "
        "here");
  if (sum.inserted_line_ends > 0)
    remarks.push_back(fmt::format("{} line{} of the output had no end when another came",
                                  sum.inserted_line_ends, sum.inserted_line_ends == 1 ? "" : "s"));
  if (sum.lost_bytes > 0)
    remarks.push_back(
        fmt::format("{} of the output could not be written", human_bytes(sum.lost_bytes)));
  if (overflow_.bytes > 0)
    remarks.push_back(fmt::format(
        "{} lines ({}) of the output came faster than they were read and are {}", overflow_.lines,
        human_bytes(overflow_.bytes), whereabouts(overflow_, options_.spill_directory)));
  if (lost_in_files_ > 0)
    remarks.push_back(
        fmt::format("{} of the log files could not be written", human_bytes(lost_in_files_)));
  return remarks;
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
