#include "coordination/connection.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"

using namespace trainit;
using namespace trainit::coordination;
using testing::make_loop;
using testing::run_until;

namespace {

std::pair<sys::UniqueFd, sys::UniqueFd> ends() {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
  return {sys::UniqueFd(fds[0]), sys::UniqueFd(fds[1])};
}

message::Waiting numbered(int number) { return {std::to_string(number) + std::string(4000, '.')}; }

}  // namespace

TEST_CASE("messages come whole and in order, also those that the kernel did not take at once") {
  sys::EventLoop loop = make_loop();
  auto [one, other] = ends();
  Connection from(loop, std::move(one)), to(loop, std::move(other));
  REQUIRE(from.listen({}));
  constexpr int kMany = 500;  // more than a socket holds
  for (int number = 0; number < kMany; ++number) from.send(numbered(number));
  int next = 0;
  REQUIRE(to.listen({.received =
                         [&](const Message& message) {
                           const auto* waiting = std::get_if<message::Waiting>(&message);
                           REQUIRE(waiting != nullptr);
                           CHECK(waiting->text == numbered(next++).text);
                         },
                     .closed = [](const std::string& how) { FAIL(how); }}));
  run_until(loop, [&] { return next == kMany; });
}

TEST_CASE("a connection that its own callback destroys calls nobody any more") {
  sys::EventLoop loop = make_loop();
  auto [one, other] = ends();
  auto from = std::make_unique<Connection>(loop, std::move(one));
  auto to = std::make_unique<Connection>(loop, std::move(other));
  int heard = 0;
  REQUIRE(to->listen({.received =
                          [&](const Message&) {
                            ++heard;
                            to.reset();
                          },
                      .closed = [](const std::string& how) { FAIL(how); }}));
  std::string how_closed;
  REQUIRE(from->listen({.closed = [&](const std::string& how) {
    from.reset();
    how_closed = how;
  }}));
  for (int number = 0; number < 3; ++number) from->send(numbered(number));
  run_until(loop, [&] { return !how_closed.empty(); });
  CHECK(heard == 1);
}

TEST_CASE("who is told may be changed between two messages that came together") {
  sys::EventLoop loop = make_loop();
  auto [one, other] = ends();
  Connection from(loop, std::move(one)), to(loop, std::move(other));
  from.send(numbered(1));
  from.send(numbered(2));
  int first = 0, second = 0;
  REQUIRE(to.listen({.received = [&](const Message&) {
    ++first;
    REQUIRE(to.listen({.received = [&](const Message&) { ++second; }}));
  }}));
  run_until(loop, [&] { return first + second == 2; });
  CHECK(second == 1);
}

TEST_CASE("what is no message ends the connection with a sentence that says so") {
  sys::EventLoop loop = make_loop();
  auto [one, other] = ends();
  Connection to(loop, std::move(other));
  std::string how_closed;
  REQUIRE(to.listen({.received = [](const Message&) { FAIL("a message"); },
                     .closed = [&](const std::string& how) { how_closed = how; }}));
  constexpr std::string_view kRequest = "GET / HTTP/1.1\r\n\r\n";
  REQUIRE(::write(one.get(), kRequest.data(), kRequest.size()) ==
          static_cast<ssize_t>(kRequest.size()));
  run_until(loop, [&] { return !how_closed.empty(); });
  CHECK(how_closed.starts_with("sent what makes no sense"));
  CHECK_FALSE(to.open());
}

TEST_CASE("who hangs up is told nothing") {
  sys::EventLoop loop = make_loop();
  auto [one, other] = ends();
  Connection from(loop, std::move(one)), to(loop, std::move(other));
  REQUIRE(to.listen({.closed = [](const std::string& how) { FAIL(how); }}));
  std::string how_closed;
  REQUIRE(from.listen({.closed = [&](const std::string& how) { how_closed = how; }}));
  to.hang_up();
  run_until(loop, [&] { return !how_closed.empty(); });
  CHECK(how_closed == "ended its connection without a word");
}
