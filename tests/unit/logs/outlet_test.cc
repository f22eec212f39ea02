#include "logs/outlet.h"

#include <pty.h>
#include <sys/socket.h>

#include "pipes.h"
#include "temporary_directory.h"

using namespace trainit;
using logs::Offer;
using logs::Outlet;

namespace {

const std::string kNoProc = "/nonexistent";

struct Terminal {
  Terminal() {
    int ends[2];
    REQUIRE(::openpty(&ends[0], &ends[1], nullptr, nullptr, nullptr) == 0);
    master.reset(ends[0]);
    slave.reset(ends[1]);
    REQUIRE(::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
  }

  sys::UniqueFd master, slave;
};

sys::UniqueFd open_file(const std::string& path, int flags) {
  sys::UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  REQUIRE(file);
  return file;
}

/// Offers numbered lines until the outlet is full.
std::string offer_until_full(Outlet& outlet) {
  std::string taken;
  for (int number = 0;; ++number) {
    const std::string line = std::to_string(number) + " " +
                             std::string(static_cast<std::size_t>(number * 997 % 9'000), '.') +
                             "\n";
    const Offer offer = outlet.offer(line);
    taken += line.substr(0, offer.bytes);
    if (offer.state == Offer::State::kFull) return taken;
    REQUIRE(offer.state == Offer::State::kTaken);
    REQUIRE(number < 100'000);
  }
}

/// A terminal puts a '\r' before each '\n'.
std::string without_returns(std::string text) {
  std::erase(text, '\r');
  return text;
}

void check_takes_until_full_and_again(Outlet outlet, const sys::UniqueFd& reader) {
  CHECK(outlet.can_be_full());
  const std::string taken = offer_until_full(outlet);
  CHECK(taken.size() >= 4096);
  CHECK((without_returns(read_all(reader)) == taken));
  CHECK(outlet.offer("again\n").state == Offer::State::kTaken);
  CHECK(without_returns(read_all(reader)) == "again\n");
}

}  // namespace

TEST_CASE("a full pipe is not waited for, and the descriptor we were given stays blocking") {
  const Pipe pipe;
  check_takes_until_full_and_again(Outlet(pipe.writer.get()), pipe.reader);
  CHECK((::fcntl(pipe.writer.get(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a full pipe is not waited for where /proc is missing either") {
  const Pipe pipe;
  check_takes_until_full_and_again(Outlet(pipe.writer.get(), kNoProc), pipe.reader);
  CHECK((::fcntl(pipe.writer.get(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a terminal whose reader stands still is not waited for") {
  const Terminal terminal;
  check_takes_until_full_and_again(Outlet(terminal.slave.get()), terminal.master);
  CHECK((::fcntl(terminal.slave.get(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a terminal whose reader stands still is not waited for where /proc is missing either") {
  const Terminal terminal;
  check_takes_until_full_and_again(Outlet(terminal.slave.get(), kNoProc), terminal.master);
}

TEST_CASE("a terminal is not waited for where /proc is missing, whatever is written") {
  for (const std::size_t period : {1, 2, 10, 63, 64, 65, 300}) {
    CAPTURE(period);
    std::string text(40'000, 'x');
    for (std::size_t i = 0; i < text.size(); i += period) text[i] = period % 2 == 0 ? '\n' : '\t';
    const Terminal terminal;
    Outlet outlet(terminal.slave.get(), kNoProc);
    CHECK(outlet.offer(text).state == Offer::State::kFull);
  }
}

TEST_CASE("a full socket is not waited for") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const sys::UniqueFd reader(ends[0]), writer(ends[1]);
  REQUIRE(::fcntl(reader.get(), F_SETFL, O_NONBLOCK) == 0);
  check_takes_until_full_and_again(Outlet(writer.get()), reader);
  CHECK((::fcntl(writer.get(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a reader that is gone is told from one that is slow") {
  for (const std::string& descriptors : {std::string("/proc/self/fd"), kNoProc}) {
    CAPTURE(descriptors);
    Pipe closed;
    Outlet outlet(closed.writer.get(), descriptors);
    closed.reader.reset();
    const Offer offer = outlet.offer("lost\n");
    CHECK(offer.state == Offer::State::kGone);
    CHECK(offer.error == EPIPE);
  }
}

TEST_CASE("a pipe that nobody reads at the start is one whose reader is gone") {
  Pipe pipe;
  pipe.reader.reset();
  CHECK(Outlet(pipe.writer.get()).offer("lost\n").state == Offer::State::kGone);
}

TEST_CASE("a terminal that was hung up is gone") {
  Terminal terminal;
  Outlet outlet(terminal.slave.get());
  terminal.master.reset();
  CHECK(outlet.offer("lost\n").state == Offer::State::kGone);
}

TEST_CASE("a socket whose other end is closed is gone") {
  ::signal(SIGPIPE, SIG_DFL);  // MSG_NOSIGNAL has to do
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const sys::UniqueFd writer(ends[1]);
  ::close(ends[0]);
  CHECK(Outlet(writer.get()).offer("lost\n").state == Offer::State::kGone);
}

TEST_CASE("/dev/null takes everything and is never full") {
  const sys::UniqueFd null = open_file("/dev/null", O_WRONLY);
  Outlet outlet(null.get());
  CHECK_FALSE(outlet.can_be_full());
  const Offer offer = outlet.offer(std::string(1 << 20, 'x'));
  CHECK(offer.state == Offer::State::kTaken);
  CHECK(offer.bytes == 1 << 20);
}

TEST_CASE("a full disk fails this time, not for good") {
  const sys::UniqueFd full = open_file("/dev/full", O_WRONLY);
  const Offer offer = Outlet(full.get()).offer("lost\n");
  CHECK(offer.state == Offer::State::kFailed);
  CHECK(offer.error == ENOSPC);
}

TEST_CASE("a file is written on at the offset that its description has") {
  const TemporaryDirectory directory;
  const sys::UniqueFd file = open_file(directory / "log", O_WRONLY | O_CREAT);
  write_all(file.get(), "before\n");
  Outlet outlet(file.get());
  CHECK(outlet.offer("ours\n").state == Offer::State::kTaken);
  write_all(file.get(), "after\n");
  CHECK(sys::read_file(directory / "log") == "before\nours\nafter\n");
}

TEST_CASE("a file opened for appending is appended to, whoever else writes there") {
  const TemporaryDirectory directory;
  directory.write("log", "before\n");
  const sys::UniqueFd file = open_file(directory / "log", O_WRONLY | O_APPEND);
  const sys::UniqueFd other = open_file(directory / "log", O_WRONLY | O_APPEND);
  Outlet outlet(file.get());
  write_all(other.get(), "other\n");
  CHECK(outlet.offer("ours\n").state == Offer::State::kTaken);
  CHECK(sys::read_file(directory / "log") == "before\nother\nours\n");
}

TEST_CASE("a closed descriptor is gone, also when its number is in use again") {
  int closed = -1;
  { closed = Pipe().writer.get(); }
  Outlet outlet(closed);
  const Pipe reuse;
  CHECK(outlet.offer("lost\n").state == Offer::State::kGone);
  CHECK(read_all(reuse.reader).empty());
  CHECK_FALSE(outlet.leads_where(Outlet(closed + 1'000)));
}

TEST_CASE("two descriptors of one pipe lead to the same place, two pipes do not") {
  const Pipe one, other;
  const sys::UniqueFd copy(::dup(one.writer.get()));
  CHECK(Outlet(one.writer.get()).leads_where(Outlet(copy.get())));
  CHECK_FALSE(Outlet(one.writer.get()).leads_where(Outlet(other.writer.get())));
}

TEST_CASE("a pipe is made as long as those of the workers, and a longer one stays") {
  const Pipe usual, longer;
  REQUIRE(::fcntl(longer.writer.get(), F_SETPIPE_SZ, 1 << 20) == 1 << 20);
  const Outlet first(usual.writer.get()), second(longer.writer.get());
  CHECK(::fcntl(usual.reader.get(), F_GETPIPE_SZ) == 256 * 1024);
  CHECK(::fcntl(longer.reader.get(), F_GETPIPE_SZ) == 1 << 20);
}
