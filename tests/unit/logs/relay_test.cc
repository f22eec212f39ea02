#include "logs/relay.h"

#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <map>
#include <random>
#include <vector>

#include "base/text.h"
#include "file_size_limit.h"
#include "pipes.h"
#include "refused_watch.h"
#include "temporary_directory.h"

using namespace trainit;
using logs::Relay;
using logs::RelayOptions;
using logs::Stream;
using logs::WorkerPipes;

namespace {

/// On a machine that is busy enough every line would become too old otherwise.
RelayOptions patient() {
  RelayOptions options;
  options.unfinished_line = std::chrono::seconds(60);
  return options;
}

RelayOptions with_memory(std::size_t bytes) {
  RelayOptions options = patient();
  options.memory = bytes;
  return options;
}

/// What one worker writes to.
struct Worker {
  sys::UniqueFd out, err;

  void end() {
    out.reset();
    err.reset();
  }
};

/// A relay between workers and two pipes, or one that is both.
struct TestRelay : TestLoop {
  explicit TestRelay(int workers) : TestRelay(workers, RelayOptions()) {}
  TestRelay(int workers, RelayOptions options, bool one_place = false)
      : relay(loop, workers, with_places(std::move(options), one_place)) {}

  RelayOptions with_places(RelayOptions options, bool one_place) const {
    options.stdout_fd = out.writer.get();
    options.stderr_fd = one_place ? out.writer.get() : err.writer.get();
    return options;
  }
  Worker add(int rank) {
    WorkerPipes pipes = std::move(*logs::make_worker_pipes(std::nullopt));
    Worker worker{sys::UniqueFd(::dup(pipes.stdout_writer.get())),
                  sys::UniqueFd(::dup(pipes.stderr_writer.get()))};
    relay.add_worker(rank, std::move(pipes));
    return worker;
  }
  void take() {
    out_text += read_all(out.reader);
    err_text += read_all(err.reader);
  }
  /// Runs until every worker's pipes are at their end, and all of it has come out.
  void drain() {
    run_until([&] {
      take();
      return relay.drained() && relay.queued() == 0;
    });
    take();
  }
  /// Runs until this much has come out of stdout.
  void run_until_out(std::string_view text) {
    run_until([&] {
      out_text += read_all(out.reader);
      return out_text.size() >= text.size();
    });
    CHECK(out_text == text);
  }

  Pipe out, err;
  Relay relay;
  std::string out_text, err_text;
};

/// Runs `write` in a process of its own, which has the worker's ends of its pipes only.
template <class Write>
pid_t in_child(const Worker& worker, Write write) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (int fd = 3; fd < 256; ++fd) {
      if (fd != worker.out.get() && fd != worker.err.get()) ::close(fd);
    }
    write();
    ::_exit(0);
  }
  return child;
}

bool has_room(int fd) {
  pollfd entry = {fd, POLLOUT, 0};
  return ::poll(&entry, 1, 0) == 1;
}

void check_ended_well(pid_t child) {
  int status = -1;
  CHECK(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

std::string random_bytes(std::size_t count) {
  std::mt19937 random(4);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

/// A line that shows whose it is, which, and whether it is whole.
std::string numbered_line(int rank, const char* stream, int number) {
  const std::size_t length = static_cast<std::size_t>((number * 7919 + rank) % 300);
  return std::to_string(rank) + " " + stream + " " + std::to_string(number) + " " +
         std::string(length, static_cast<char>('a' + number % 26)) + "|\n";
}

constexpr int kLines = 10'000;

/// Writes all lines of both streams in pieces that care for no line end.
void write_numbered_lines(int rank, const Worker& worker) {
  std::mt19937 random(static_cast<unsigned>(rank));
  std::string out, err;
  const auto write_some = [&](std::string& text, int fd, std::size_t count) {
    write_all(fd, std::string_view(text).substr(0, count));
    text.erase(0, count);
  };
  for (int number = 0; number < kLines; ++number) {
    out += numbered_line(rank, "out", number);
    err += numbered_line(rank, "err", number);
    if (out.size() > 4'000) write_some(out, worker.out.get(), random() % out.size());
    if (err.size() > 4'000) write_some(err, worker.err.get(), random() % err.size());
  }
  write_some(out, worker.out.get(), out.size());
  write_some(err, worker.err.get(), err.size());
}

/// The lines with their ends.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    lines.push_back(text.substr(0, text.find('\n') + 1));
    text.remove_prefix(lines.back().size());
  }
  return lines;
}

/// Checks that `text` has each rank's lines of this stream, whole, in order, and nothing else.
void check_numbered_lines(std::string_view text, int ranks, const char* stream) {
  std::map<int, int> next;
  for (const std::string_view line : lines_of(text)) {
    const std::size_t space = line.find(' ');
    const bool prefixed = line.starts_with("[rank ");
    const int rank = std::atoi(line.data() + (prefixed ? space + 1 : 0));
    const std::string expected = (rank == 0 ? "" : "[rank " + std::to_string(rank) + "] ") +
                                 numbered_line(rank, stream, next[rank]++);
    if (line != expected) FAIL("found ", std::string(line), " instead of ", expected);
  }
  for (int rank = 0; rank < ranks; ++rank) CHECK(next[rank] == kLines);
}

}  // namespace

TEST_CASE("one worker's bytes pass unchanged, line ends or not") {
  TestRelay test(1);
  const std::string bytes = random_bytes(16 << 20);
  Worker worker = test.add(0);
  const pid_t child = in_child(worker, [&] { write_all(worker.out.get(), bytes); });
  write_all(worker.err.get(), "no line end");
  worker.end();
  test.drain();
  CHECK((test.out_text == bytes));
  CHECK(test.err_text == "no line end");
  CHECK(test.relay.counts().inserted_line_ends == 0);
  check_ended_well(child);
}

TEST_CASE("nothing is put between one worker's streams where both lead to one place") {
  RelayOptions options;
  options.unfinished_line = std::chrono::milliseconds(1);
  TestRelay test(1, options, true);
  Worker worker = test.add(0);
  write_all(worker.out.get(), "abc");
  test.run_until_out("abc");
  write_all(worker.err.get(), "def\n");
  test.run_until_out("abcdef\n");
  write_all(worker.err.get(), "gh");
  test.run_until_out("abcdef\ngh");
  write_all(worker.out.get(), "i\nlast");
  test.run_until_out("abcdef\nghi\nlast");
  worker.end();
  test.drain();
  CHECK(test.out_text == "abcdef\nghi\nlast");
  CHECK(test.relay.remarks().empty());
}

TEST_CASE("our own line ends the line that one worker left open where both its streams lead") {
  RelayOptions options;
  options.unfinished_line = std::chrono::milliseconds(1);
  TestRelay test(1, options, true);
  const Worker worker = test.add(0);
  write_all(worker.out.get(), "abc");
  test.run_until_out("abc");
  test.run_for(std::chrono::milliseconds(5));
  test.relay.say("trainit: hello\n");
  write_all(worker.err.get(), "def\n");
  test.run_until_out("abc\ntrainit: hello\ndef\n");
}

TEST_CASE("one worker's question without a line end is seen at once") {
  TestRelay test(1);
  const Worker worker = test.add(0);
  write_all(worker.out.get(), "continue? ");
  test.run_until_out("continue? ");
}

TEST_CASE("of several workers every line of each stream is whole and in order") {
  TestRelay test(8, patient());
  std::vector<pid_t> children;
  for (int rank = 0; rank < 8; ++rank) {
    const Worker worker = test.add(rank);
    children.push_back(in_child(worker, [&] { write_numbered_lines(rank, worker); }));
  }
  test.drain();
  check_numbered_lines(test.out_text, 8, "out");
  check_numbered_lines(test.err_text, 8, "err");
  CHECK(test.relay.counts().inserted_line_ends == 0);
  for (const pid_t child : children) check_ended_well(child);
}

TEST_CASE("when both streams lead to one pipe, their lines and ours do not tear each other") {
  TestRelay test(1, with_memory(1 << 20), true);
  Worker worker = test.add(0);
  const pid_t child = in_child(worker, [&] { write_numbered_lines(0, worker); });
  worker.end();
  int said = 0;
  // A slow reader, at each of whose reads we say something.
  REQUIRE(test.loop.watch(test.out.reader.borrow(), EPOLLIN, [&](std::uint32_t) {
    char buffer[4096];
    const ssize_t count = ::read(test.out.reader.get(), buffer, sizeof buffer);
    test.out_text.append(buffer, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (test.relay.drained()) return;
    test.relay.say("trainit: line\n");
    ++said;
  }));
  test.run_until([&] { return test.relay.drained() && test.relay.queued() == 0; });
  test.loop.unwatch(test.out.reader.borrow());
  test.take();
  check_ended_well(child);
  std::string out, err;
  for (const std::string_view line : lines_of(test.out_text)) {
    if (line == "trainit: line\n") {
      --said;
    } else {
      (line.starts_with("0 out") ? out : err) += line;
    }
  }
  check_numbered_lines(out, 1, "out");
  check_numbered_lines(err, 1, "err");
  CHECK(said == 0);
}

TEST_CASE("rank 0 is plain and the others are named") {
  TestRelay test(2);
  Worker zero = test.add(0), three = test.add(3);
  write_all(zero.out.get(), "loss 0.1\n");
  write_all(three.err.get(), "warning\n");
  zero.end();
  three.end();
  test.drain();
  CHECK(test.out_text == "loss 0.1\n");
  CHECK(test.err_text == "[rank 3] warning\n");
}

TEST_CASE("a last line without an end stays without one, unless somebody writes behind it") {
  TestRelay test(2);
  Worker one = test.add(1), two = test.add(2);
  write_all(one.out.get(), "whole\nlast");
  one.end();
  test.run_until_out("[rank 1] whole\n[rank 1] last");
  CHECK(test.out_text == "[rank 1] whole\n[rank 1] last");
  CHECK(test.relay.counts().inserted_line_ends == 0);
  write_all(two.out.get(), "more\n");
  two.end();
  test.drain();
  CHECK(test.out_text == "[rank 1] whole\n[rank 1] last\n[rank 2] more\n");
  CHECK(test.relay.counts().inserted_line_ends == 1);
}

TEST_CASE("an unfinished line is shown after a while, and given an end when another rank speaks") {
  TestRelay test(2);
  Worker one = test.add(1), two = test.add(2);
  write_all(one.out.get(), "\rstep 1");
  test.run_until_out("[rank 1] \rstep 1");
  write_all(one.out.get(), "\rstep 2");
  test.run_until_out("[rank 1] \rstep 1\rstep 2");
  write_all(two.out.get(), "hello\n");
  test.run_until_out("[rank 1] \rstep 1\rstep 2\n[rank 2] hello\n");
  CHECK(test.relay.counts().inserted_line_ends == 1);
  write_all(one.out.get(), "\rstep 3");
  one.end();
  two.end();
  test.drain();
  CHECK(test.out_text == "[rank 1] \rstep 1\rstep 2\n[rank 2] hello\n[rank 1] \rstep 3");
}

TEST_CASE("a line written in two halves at once is not shown in two") {
  TestRelay test(2, patient());
  const Worker one = test.add(1), two = test.add(2);
  write_all(one.out.get(), "first ");
  test.run_for(std::chrono::milliseconds(10));
  write_all(two.out.get(), "between\n");
  test.run_until_out("[rank 2] between\n");
  write_all(one.out.get(), "second\n");
  test.run_until_out("[rank 2] between\n[rank 1] first second\n");
}

TEST_CASE("a line whose end is in the pipe is not cut, however late we come") {
  TestRelay test(2);
  Worker one = test.add(1), two = test.add(2);
  write_all(one.out.get(), "first ");
  test.run_for(std::chrono::milliseconds(1));
  // What is due by then is found together with the rest of the line.
  const timespec pause = {0, 250'000'000};
  ::nanosleep(&pause, nullptr);
  write_all(one.out.get(), "second\n");
  write_all(two.out.get(), "other\n");
  one.end();
  two.end();
  test.drain();
  CHECK(test.relay.counts().inserted_line_ends == 0);
  CHECK(test.out_text.find("[rank 1] first second\n") != std::string::npos);
}

TEST_CASE("a line over 1 MiB passes whole when nobody else speaks") {
  TestRelay test(2, patient());
  const std::string line = std::string(5 << 20, 'x') + "\n";
  Worker one = test.add(1);
  const pid_t child = in_child(one, [&] { write_all(one.out.get(), line); });
  one.end();
  test.drain();
  CHECK((test.out_text == "[rank 1] " + line));
  check_ended_well(child);
}

TEST_CASE("bytes that are no UTF-8 and NUL pass") {
  TestRelay test(2);
  Worker one = test.add(1);
  const std::string line("\xFF\xFE\0\x80\n", 5);
  write_all(one.out.get(), line);
  one.end();
  test.drain();
  CHECK(test.out_text == "[rank 1] " + line);
}

TEST_CASE("past the limit the workers wait, nothing is lost, and waiting costs no wake-ups") {
  TestRelay test(2, with_memory(2 << 20));
  const Worker zero = test.add(0), one = test.add(1);
  const std::string line = std::string(99, 'x') + "\n";
  for (std::string* text : {&test.out_text, &test.err_text}) text->clear();
  std::size_t written = 0;
  REQUIRE(::fcntl(one.out.get(), F_SETFL, O_NONBLOCK) == 0);
  // Pipe, queue and pipe again: all fill up.
  int without_progress = 0;
  while (without_progress < 50) {
    const ssize_t count = ::write(one.out.get(), line.data(), line.size());
    without_progress = count > 0 ? 0 : without_progress + 1;
    if (count > 0) written += line.size();
    if (count < 0) test.run_for(std::chrono::milliseconds(1));
  }
  CHECK(written > 1 << 20);
  CHECK(written < 3 << 20);
  CHECK(test.run_for(std::chrono::milliseconds(300)) <= 3);

  // stderr has room of its own.
  write_all(zero.err.get(), "still heard\n");
  test.run_until([&] { return (test.err_text += read_all(test.err.reader)).ends_with("heard\n"); });

  const std::size_t lines = written / line.size();
  const std::size_t expected = written + lines * std::string_view("[rank 1] ").size();
  test.run_until([&] { return (test.out_text += read_all(test.out.reader)).size() >= expected; });
  CHECK(test.out_text.size() == expected);
  CHECK(test.relay.counts().lost_bytes == 0);
}

TEST_CASE("lines that never end count for the limit too") {
  constexpr int kWorkers = 16;
  constexpr std::size_t kMemory = 8 << 20;
  TestRelay test(kWorkers, with_memory(kMemory));
  std::vector<Worker> workers;
  for (int rank = 0; rank < kWorkers; ++rank) workers.push_back(test.add(rank));
  std::size_t written = 0, in_pipes = 0;
  for (int turns_without_progress = 0; turns_without_progress < 10; ++turns_without_progress) {
    std::size_t now = 0;
    for (const Worker& worker : workers) now += fill(worker.out.get()) + fill(worker.err.get());
    written += now;
    if (now > 0) turns_without_progress = 0;
    test.run_for(std::chrono::milliseconds(1));
  }
  for (const Worker& worker : workers) {
    for (const int fd : {worker.out.get(), worker.err.get()}) {
      int bytes = 0;
      REQUIRE(::ioctl(fd, FIONREAD, &bytes) == 0);
      in_pipes += static_cast<std::size_t>(bytes);
    }
  }
  CHECK(written - in_pipes < kMemory + (1 << 20));
}

TEST_CASE("when the kernel refuses to read a worker again, that is tried again") {
  TestRelay test(1, with_memory(256 << 10));
  WorkerPipes pipes = std::move(*logs::make_worker_pipes(std::nullopt));
  const int reader = pipes.stdout_reader.get();
  Worker worker{sys::UniqueFd(::dup(pipes.stdout_writer.get())),
                sys::UniqueFd(::dup(pipes.stderr_writer.get()))};
  test.relay.add_worker(0, std::move(pipes));
  std::size_t written = 0;
  while (test.relay.queued() < 128 << 10) {
    written += fill(worker.out.get());
    test.run_for(std::chrono::milliseconds(1));
  }
  {
    const RefusedWatch refused(reader);
    test.run_until([&] {
      test.take();
      return test.relay.queued() == 0;
    });
  }
  worker.end();
  test.drain();
  CHECK(test.out_text.size() == written);
}

TEST_CASE(
    "pipes that the workers' user cannot be given are used all the same, and it is told once") {
  TestRelay test(2);
  std::vector<std::string> told;
  test.relay.on_trouble([&](const std::string& text) { told.push_back(text); });
  for (int rank = 0; rank < 2; ++rank) {
    WorkerPipes pipes = std::move(*logs::make_worker_pipes(std::nullopt));
    pipes.owner_error = EPERM;
    write_all(pipes.stdout_writer.get(), "hello\n");
    test.relay.add_worker(rank, std::move(pipes));
  }
  test.drain();
  CHECK(test.out_text == "hello\n[rank 1] hello\n");
  REQUIRE(told.size() == 1);
  CHECK(told[0].find("cannot be given") != std::string::npos);
  CHECK(told[0].find("(EPERM)") != std::string::npos);
}

TEST_CASE("of very many streams none has a line cut because its turn comes late") {
  TestRelay test(100);
  std::vector<Worker> workers;
  workers.reserve(100);
  for (int rank = 0; rank < 100; ++rank) workers.push_back(test.add(rank));
  write_all(workers[99].out.get(), "first ");
  test.run_for(std::chrono::milliseconds(1));
  const timespec pause = {0, 250'000'000};
  ::nanosleep(&pause, nullptr);
  for (Worker& worker : workers)
    write_all(worker.out.get(), &worker == &workers[99] ? "second\n" : "x\n");
  for (Worker& worker : workers) worker.end();
  test.drain();
  CHECK(test.relay.counts().inserted_line_ends == 0);
  CHECK(test.out_text.find("[rank 99] first second\n") != std::string::npos);
}

TEST_CASE("a line that was held up on its way is not cut for its age") {
  RelayOptions options = with_memory(8 << 20);  // of which one line may take 512 KiB
  options.unfinished_line = std::chrono::seconds(1);
  TestRelay test(2, options);
  Worker one = test.add(1), two = test.add(2);
  fill(test.out.writer.get());
  write_all(one.out.get(), "first ");
  test.run_for(std::chrono::milliseconds(1));
  const std::string big = std::string(200'000, 'b') + "\n";
  for (std::size_t queued = 0; queued < 3 << 20; queued = test.relay.queued()) {
    write_all(two.out.get(), big);
    test.run_until([&] { return test.relay.queued() > queued; });
  }
  // Nobody is read from now on, and the worker waits in the middle of its line.
  const std::string middle(fill(one.out.get()), '#');
  write_all(two.out.get(), "other\n");
  test.run_for(std::chrono::milliseconds(1100));
  test.run_until([&] {
    test.take();
    return test.out_text.find(big) != std::string::npos && has_room(one.out.get());
  });
  write_all(one.out.get(), "last\n");
  one.end();
  two.end();
  test.drain();
  CHECK(test.out_text.find("[rank 1] first " + middle + "last\n") != std::string::npos);
  CHECK(test.relay.counts().inserted_line_ends == 0);
}

TEST_CASE("when our reader is gone the workers go on") {
  TestRelay test(2, patient());
  Worker one = test.add(1);
  std::string told;
  test.relay.on_trouble([&](const std::string& text) { told += text; });
  test.out.reader.reset();
  const pid_t child = in_child(one, [&] { write_numbered_lines(1, one); });
  one.end();
  test.drain();
  check_ended_well(child);
  CHECK(told.starts_with("nobody reads stdout any more"));
  CHECK(test.relay.counts().lost_bytes > kLines);
  test.out_text = test.err_text;
}

TEST_CASE("a pipe that somebody holds open is read to where it is and closed") {
  TestRelay test(2);
  Worker zero = test.add(0), one = test.add(1);
  zero.end();
  write_all(one.out.get(), std::string(200'000, 'x') + "\nlast");
  CHECK_FALSE(test.relay.drained());
  test.relay.cut();
  CHECK(test.relay.drained());
  CHECK(test.relay.remarks() ==
        std::vector<std::string>{"somebody still held the workers' output open at the end; what "
                                 "they wrote later is not here"});
  test.relay.finish(std::chrono::milliseconds(0));
  test.take();
  CHECK(test.out_text.starts_with("[rank 1] xxx"));
  CHECK(::write(one.out.get(), "x", 1) == -1);
  CHECK(errno == EPIPE);
}

TEST_CASE("what the pipes hold can be taken at once, and they stay open") {
  TestRelay test(2);
  Worker zero = test.add(0), one = test.add(1);
  write_all(one.err.get(), "ValueError: loss is nan\n");
  const sys::TimePoint before = sys::Clock::now();
  test.relay.catch_up(std::chrono::seconds(1));
  CHECK(test.relay.tail(1, Stream::kStderr) == "ValueError: loss is nan\n");
  CHECK(test.relay.arrived_at(1, Stream::kStderr, 0) >= before);
  zero.end();
  test.relay.catch_up(std::chrono::seconds(1));
  CHECK_FALSE(test.relay.drained());
  write_all(one.err.get(), "more\n");
  one.end();
  test.relay.catch_up(std::chrono::seconds(1));
  CHECK(test.relay.tail(1, Stream::kStderr) == "ValueError: loss is nan\nmore\n");
}

TEST_CASE("a pipe that was only not read in time is at its end when it is cut, held by nobody") {
  TestRelay test(1);
  Worker worker = test.add(0);
  write_all(worker.out.get(), std::string(200'000, 'x'));
  write_all(worker.err.get(), "some");
  worker.end();
  test.relay.cut();
  CHECK(test.relay.drained());
  CHECK(test.relay.remarks().empty());
}

TEST_CASE("a pipe that somebody writes to all the time is cut all the same") {
  TestRelay test(1);
  Worker worker = test.add(0);
  const pid_t child = in_child(worker, [&] {
    ::signal(SIGPIPE, SIG_DFL);
    const std::string block(65536, 'x');
    while (::write(worker.out.get(), block.data(), block.size()) > 0) {
    }
  });
  worker.end();
  test.relay.cut();
  CHECK(test.relay.drained());
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child);
  CHECK(WTERMSIG(status) == SIGPIPE);
}

TEST_CASE("the tails of each rank are kept apart") {
  TestRelay test(2);
  Worker zero = test.add(0), one = test.add(1);
  write_all(zero.out.get(), "fine\n");
  write_all(one.out.get(), "out\n");
  write_all(one.err.get(), "ValueError: no");
  zero.end();
  one.end();
  test.drain();
  CHECK(test.relay.tail(0, Stream::kStdout) == "fine\n");
  CHECK(test.relay.tail(0, Stream::kStderr) == "");
  CHECK(test.relay.tail(1, Stream::kStdout) == "out\n");
  CHECK(test.relay.tail(1, Stream::kStderr) == "ValueError: no");
  CHECK(test.relay.tail(7, Stream::kStderr) == "");
}

TEST_CASE("a rank that is started again has a tail of its own") {
  TestRelay test(2);
  Worker one = test.add(1);
  write_all(one.err.get(), "first life\n");
  one.end();
  test.drain();
  one = test.add(1);
  write_all(one.err.get(), "second life\n");
  one.end();
  test.drain();
  CHECK(test.relay.tail(1, Stream::kStderr) == "second life\n");
}

TEST_CASE("workers that print nothing cost no wake-ups") {
  TestRelay test(2);
  const Worker zero = test.add(0), one = test.add(1);
  CHECK(test.run_for(std::chrono::milliseconds(100)) <= 2);
  write_all(zero.out.get(), "unfinished");
  test.run_until_out("unfinished");
  CHECK(test.run_for(std::chrono::milliseconds(300)) <= 2);
}

TEST_CASE("a relay without workers is drained, and says what we say") {
  TestRelay test(1);
  CHECK(test.relay.drained());
  test.relay.say("trainit: hello\n");
  test.take();
  CHECK(test.err_text == "trainit: hello\n");
}

TEST_CASE("the prefix is as it was asked for, also of one worker") {
  RelayOptions options;
  options.host = "algo-1";
  options.first_rank = 8;
  options.prefix = "{host}/{local_rank}: ";
  TestRelay test(1, options);
  Worker nine = test.add(9);
  write_all(nine.out.get(), "hello\nlast");
  nine.end();
  test.drain();
  CHECK(test.out_text == "algo-1/1: hello\nalgo-1/1: last");
}

TEST_CASE("rank 0 has a prefix when that was asked for") {
  RelayOptions options;
  options.prefix = "{rank} {stream} ";
  options.prefix_rank_zero = true;
  TestRelay test(2, options);
  Worker zero = test.add(0);
  write_all(zero.err.get(), "hello\n");
  zero.end();
  test.drain();
  CHECK(test.err_text == "0 stderr hello\n");
}

TEST_CASE("prefixes can be off") {
  RelayOptions options;
  options.prefix = "";
  TestRelay test(2, options);
  Worker one = test.add(1);
  write_all(one.out.get(), "hello\n");
  one.end();
  test.drain();
  CHECK(test.out_text == "hello\n");
}

TEST_CASE("with only rank 0 shown the others are still in files and tails") {
  const TemporaryDirectory directory;
  RelayOptions options;
  options.only_rank_zero = true;
  options.directory = directory.path;
  TestRelay test(2, options);
  Worker zero = test.add(0), one = test.add(1);
  write_all(zero.out.get(), "shown\n");
  write_all(one.out.get(), "kept\nlast");
  zero.end();
  one.end();
  test.drain();
  CHECK(test.out_text == "shown\n");
  CHECK(test.relay.tail(1, Stream::kStdout) == "kept\nlast");
  CHECK(sys::read_file(directory / "rank-1.stdout.log") == "kept\nlast");
  CHECK(sys::read_file(directory / "rank-0.stdout.log") == "shown\n");
  CHECK_FALSE(sys::exists(directory / "rank-0.stderr.log"));
}

TEST_CASE("a rank's files hold its bytes as they came") {
  const TemporaryDirectory directory;
  RelayOptions options;
  options.directory = directory.path;
  TestRelay test(2, options);
  const std::string bytes = random_bytes(1 << 20);
  Worker one = test.add(1);
  const pid_t child = in_child(one, [&] { write_all(one.err.get(), bytes); });
  one.end();
  test.drain();
  CHECK((sys::read_file(directory / "rank-1.stderr.log") == bytes));
  check_ended_well(child);
}

TEST_CASE("a worker that would have to wait loses whole lines instead, and it is said how many") {
  for (const int workers : {1, 2}) {
    CAPTURE(workers);
    RelayOptions options = with_memory(1 << 20);
    options.when_full = logs::WhenFull::kDrop;
    TestRelay test(workers, options);
    std::string told;
    test.relay.on_trouble([&](const std::string& text) { told += text + "\n"; });
    Worker worker = test.add(0);
    const pid_t child = in_child(worker, [&] { write_numbered_lines(0, worker); });
    worker.end();
    test.run_until([&] {
      test.err_text += read_all(test.err.reader);
      return test.relay.drained();  // nobody reads stdout meanwhile
    });
    check_ended_well(child);
    test.drain();
    int whole = 0;
    for (const std::string_view line : lines_of(test.out_text)) {
      REQUIRE(line == numbered_line(0, "out", std::atoi(line.data() + 6)));
      ++whole;
    }
    CHECK(whole < kLines);
    CHECK(whole > 1'000);
    const std::string dropped = std::to_string(kLines - whole) + " lines (";
    CHECK(told.starts_with("stdout was not read fast enough: " + dropped));
    CHECK(told.ends_with("of rank 0 are dropped\n"));
    REQUIRE(test.relay.remarks().size() == 1);
    CHECK(test.relay.remarks()[0].starts_with(dropped));
    CHECK(test.relay.remarks()[0].ends_with("came faster than they were read and are dropped"));
  }
}

TEST_CASE("what is kept in files is all that is said to be there") {
  const TemporaryDirectory directory;
  RelayOptions options = with_memory(1 << 20);
  options.when_full = logs::WhenFull::kSpill;
  options.spill_directory = directory.path;
  std::size_t fits = 0;
  std::string end = "in ";
  SUBCASE("all of it fits") { fits = std::size_t{1} << 30; }
  SUBCASE("half of it fits") { fits = 100'000; }
  SUBCASE("nothing fits") { end = "dropped"; }
  TestRelay test(1, options);
  std::string told;
  test.relay.on_trouble([&](const std::string& text) {
    if (text.starts_with("stdout was not read")) told = text;
  });
  Worker one = test.add(0);
  const pid_t child = in_child(one, [&] { write_numbered_lines(0, one); });
  one.end();
  {
    const FileSizeLimit limit(fits);
    test.run_until([&] {
      test.err_text += read_all(test.err.reader);
      return test.relay.drained();
    });
  }
  check_ended_well(child);
  test.drain();
  const std::string path = directory / "rank-0.stdout.spilled.log";
  const std::size_t kept = sys::read_file(path)->size();
  std::size_t came = 0;
  for (int number = 0; number < kLines; ++number) came += numbered_line(0, "out", number).size();
  const std::size_t lost = came - test.out_text.size() - kept;
  if (kept > 0) {
    const std::string but =
        lost == 0 ? "" : ", but for " + human_bytes(lost) + " that could not be written";
    CHECK(told.ends_with("are in " + path + " instead" + but));
    end += directory.path + but;
  } else {
    CHECK(told.ends_with("of rank 0 are dropped"));
  }
  CHECK((lost == 0) == (fits > came));
  REQUIRE(test.relay.remarks().size() == 1);
  CHECK(test.relay.remarks()[0].ends_with("came faster than they were read and are " + end));
}

TEST_CASE("what would be dropped can be kept in files, so that nothing is lost") {
  const TemporaryDirectory directory;
  RelayOptions options = with_memory(1 << 20);
  options.when_full = logs::WhenFull::kSpill;
  options.spill_directory = directory.path;
  TestRelay test(2, options);
  Worker one = test.add(1);
  const pid_t child = in_child(one, [&] { write_numbered_lines(1, one); });
  one.end();
  test.run_until([&] {
    test.err_text += read_all(test.err.reader);
    return test.relay.drained();
  });
  check_ended_well(child);
  test.drain();
  const std::string spilled = *sys::read_file(directory / "rank-1.stdout.spilled.log");
  CHECK(spilled.size() > 100'000);
  std::string together = test.out_text;
  for (const std::string_view line : lines_of(spilled)) together += "[rank 1] " + std::string(line);
  std::map<int, int> seen;
  for (const std::string_view line : lines_of(together)) {
    const int number = std::atoi(line.data() + 15);
    REQUIRE(line == "[rank 1] " + numbered_line(1, "out", number));
    ++seen[number];
  }
  CHECK(seen.size() == kLines);
}

TEST_CASE("a line of which a part was dropped loses its rest too") {
  RelayOptions options = with_memory(256 << 10);
  options.unfinished_line = logs::kUnfinishedLine;
  options.when_full = logs::WhenFull::kDrop;
  TestRelay test(2, options);
  const Worker one = test.add(1), two = test.add(2);
  fill(test.out.writer.get());
  write_all(two.out.get(), std::string(200'000, 'b') + "\n");
  test.run_for(std::chrono::milliseconds(1));
  write_all(one.out.get(), "dropped ");
  test.run_for(std::chrono::milliseconds(300));  // long enough to be passed on, or dropped
  test.run_until([&] {
    test.take();
    return test.relay.queued() == 0;
  });
  write_all(one.out.get(), "rest\nwhole\n");
  test.run_until([&] {
    test.take();
    return test.out_text.ends_with("whole\n");
  });
  CHECK(test.out_text.ends_with("b\n[rank 1] whole\n"));
}

TEST_CASE("progress bars can be thinned") {
  RelayOptions options;
  options.collapse_progress = true;
  TestRelay test(1, options);
  Worker zero = test.add(0);
  write_all(zero.err.get(), "\r1 %\r2 %\r3 %\ndone\n\r4 %");
  test.run_until([&] { return (test.err_text += read_all(test.err.reader)).ends_with("4 %\n"); });
  write_all(zero.err.get(), "\r5 %");
  zero.end();
  test.drain();
  CHECK(test.err_text == "3 %\ndone\n4 %\n5 %\n");
}

TEST_CASE("what was inserted and lost is remarked on at the end") {
  TestRelay test(2);
  CHECK(test.relay.remarks().empty());
  const Worker one = test.add(1), two = test.add(2);
  write_all(one.out.get(), "unfinished");
  test.run_until_out("[rank 1] unfinished");
  write_all(two.out.get(), "other\n");
  test.run_until_out("[rank 1] unfinished\n[rank 2] other\n");
  test.err.reader.reset();
  write_all(two.err.get(), std::string(2047, 'x') + "\n");
  test.run_until([&] { return test.relay.counts().lost_bytes > 0; });
  CHECK(test.relay.remarks() ==
        std::vector<std::string>{"1 line of the output had no end when another came",
                                 "2 KB of the output could not be written"});
}

TEST_CASE(
    "a worker's pipes are close-on-exec, only our ends do not block, and the user owns them") {
  const WorkerPipes pipes = std::move(*logs::make_worker_pipes(std::nullopt));
  for (const sys::UniqueFd* fd : {&pipes.stdout_reader, &pipes.stderr_reader}) {
    CHECK((::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(fd->get(), F_GETFL) & O_NONBLOCK) != 0);
  }
  for (const sys::UniqueFd* fd : {&pipes.stdout_writer, &pipes.stderr_writer}) {
    CHECK((::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(fd->get(), F_GETFL) & O_NONBLOCK) == 0);
  }
  if (::geteuid() != 0) return;
  sys::Credentials user;
  user.uid = 1234;
  user.gid = 5678;
  const WorkerPipes theirs = std::move(*logs::make_worker_pipes(user));
  struct stat status = {};
  REQUIRE(::fstat(theirs.stderr_writer.get(), &status) == 0);
  CHECK(status.st_uid == 1234);
  CHECK(status.st_gid == 5678);
}

TEST_CASE("what a reader has not taken at the very end is dropped, and that is said") {
  TestRelay test(1, patient());
  std::vector<std::string> said;
  test.relay.on_trouble([&](const std::string& text) {
    said.push_back(text);
    test.relay.say(text + "\n");
  });
  Worker worker = test.add(0);
  fill(test.out.writer.get());
  write_all(worker.out.get(), std::string(2048, 'x'));
  worker.end();
  test.run_until([&] { return test.relay.drained(); });
  test.relay.finish(std::chrono::milliseconds(1), std::chrono::milliseconds(10));
  test.take();
  const std::string expected = "the last 2 KB of the output were not read in time, and are dropped";
  CHECK(said == std::vector<std::string>{expected});
  CHECK(test.err_text == expected + "\n");
}

TEST_CASE("nothing is said at the very end when all was read") {
  TestRelay test(1, patient());
  test.relay.on_trouble([](const std::string& text) { FAIL(text); });
  Worker worker = test.add(0);
  write_all(worker.out.get(), std::string(2048, 'x'));
  worker.end();
  test.run_until([&] { return test.relay.drained(); });
  test.relay.finish();
  test.take();
  CHECK(test.out_text == std::string(2048, 'x'));
}

TEST_CASE("how much the log files did not take is said at the end, of all rounds together") {
  const TemporaryDirectory directory;
  RelayOptions options = patient();
  options.directory = directory / "missing";
  TestRelay test(1, options);
  CHECK(test.relay.remarks().empty());
  for (int round = 0; round < 2; ++round) {
    Worker worker = test.add(0);
    write_all(worker.out.get(), "123456\n");
    write_all(worker.err.get(), "12345\n");
    worker.end();
    test.run_until([&] { return test.relay.drained(); });
  }
  CHECK(test.relay.remarks() ==
        std::vector<std::string>{"26 bytes of the log files could not be written"});
}
