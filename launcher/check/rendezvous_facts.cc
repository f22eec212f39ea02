// Meets as workers do: a store, and processes that are its clients.
#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "check/rendezvous.h"
#include "store/server.h"
#include "sys/capture.h"
#include "sys/files.h"
#include "trainit/store.h"

namespace trainit::check {
namespace {

constexpr int kMostProcesses = 8;
constexpr std::string_view kMet = "met";

struct Meeting {
  int port, count;
  std::chrono::milliseconds timeout;  ///< of a client, who can say more than that it took too long
};

Result<void> meet(const Meeting& meeting, int rank) {
  StoreClient client =
      TRAINIT_TRY(StoreClient::connect("127.0.0.1", meeting.port, meeting.timeout));
  TRAINIT_TRY(client.set(fmt::format("check/{}", rank), "here"));
  TRAINIT_TRY(client.barrier("check", meeting.count));
  for (int other = 0; other < meeting.count; ++other)
    TRAINIT_TRY(client.get(fmt::format("check/{}", other)));
  return {};
}

/// Starts one that meets the others, and tells in a line how that went.
Result<void> start_client(const Meeting& meeting, int rank, const sys::UniqueFd& reports) {
  const pid_t pid = ::fork();
  if (pid < 0) return fail("starting a process: " + sys::errno_text(errno));
  if (pid > 0) return {};
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const Result<void> met = meet(meeting, rank);
  const std::string line = met ? std::string(kMet) : met.error().message;
  static_cast<void>(sys::write_all(reports.borrow(), line + "\n"));
  ::_exit(0);
}

/// Serves the store until each client has told how it went.
Result<std::string> serve(const sys::Listener& listener, int count, const sys::UniqueFd& reports) {
  sys::EventLoop loop = TRAINIT_TRY(sys::EventLoop::create());
  store::ServerOptions options;
  options.world_size = count;
  options.allowed = sys::AddressRange::loopback();
  const auto server = TRAINIT_TRY(store::Server::start(loop, listener, std::move(options)));
  std::string told;
  bool over = false;
  TRAINIT_TRY(loop.watch(reports.borrow(), EPOLLIN, [&](std::uint32_t) {
    char buffer[4096];
    const ssize_t size = sys::read_some(reports.borrow(), buffer, sizeof buffer);
    if (size > 0) told.append(buffer, static_cast<std::size_t>(size));
    if (size <= 0) over = true;
  }));
  while (!over) loop.run_once();
  loop.unwatch(reports.borrow());
  return told;
}

/// Clients first: what one has is not to be there in another.
Result<std::string> run(const sys::Listener& listener, const Meeting& meeting) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail("making a pipe: " + sys::errno_text(errno));
  const sys::UniqueFd reader(ends[0]);
  sys::UniqueFd writer(ends[1]);
  for (int rank = 0; rank < meeting.count; ++rank) TRAINIT_TRY(start_client(meeting, rank, writer));
  writer.reset();
  return serve(listener, meeting.count, reader);
}

/// The first sentence of one that did not meet the others; empty: all did.
std::string trouble_in(std::string_view told, int count) {
  int met = 0;
  for (const std::string_view line : split(told, '\n')) {
    if (!line.empty() && line != kMet) return std::string(line);
    met += line == kMet ? 1 : 0;
  }
  return met == count ? "" : fmt::format("only {} of {} came", met, count);
}

}  // namespace

RendezvousFacts rendezvous_facts(const Subject& subject, std::chrono::milliseconds deadline) {
  RendezvousFacts facts;
  facts.processes = std::clamp(subject.workers, 1, kMostProcesses);
  const auto listener = sys::Listener::open({*sys::Address::parse("127.0.0.1")}, 0);
  if (!listener) {
    facts.trouble = listener.error().message;
    return facts;
  }
  const auto start = sys::Clock::now();
  const Meeting meeting{listener->port(), facts.processes, deadline * 4 / 5};
  const auto hold = [&](sys::BorrowedFd output) {
    const Result<std::string> told = run(*listener, meeting);
    static_cast<void>(sys::write_all(output, told ? *told : told.error().message));
  };
  const Result<std::string> told =
      sys::run_forked("the rendezvous", hold, {static_cast<int>(deadline.count()), subject.stops});
  facts.seconds = sys::in_seconds(sys::Clock::now() - start);
  facts.trouble = told ? trouble_in(*told, facts.processes) : told.error().message;
  return facts;
}

}  // namespace trainit::check
