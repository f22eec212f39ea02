// trainit store: serves the rendezvous store alone, for tools and tests, until it is told to stop.
//
// Promises: the first line on stdout says where it listens, once it does. Exit 0 after SIGTERM,
// SIGINT or SIGHUP. It serves this machine, and whom --store-allow names, and listens where these
// can reach it, or where --listen says.
#include <fmt/core.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>

#include "commands/commands.h"
#include "commands/print.h"
#include "store/server.h"
#include "store_access.h"
#include "sys/listener.h"
#include "sys/process.h"

namespace trainit::commands {
namespace {

Result<sys::Listener> open_listener(const CommandLine& line, const Options& options) {
  if (line.store.listen.empty())
    return sys::Listener::open(store_addresses(options), line.store.port);
  std::vector<sys::Address> addresses;
  for (const std::string& text : line.store.listen) {
    const auto address = sys::Address::parse(text);
    if (!address) return fail("--listen", address.error());
    if (std::find(addresses.begin(), addresses.end(), *address) != addresses.end())
      return fail(fmt::format("--listen: {} stands there twice", address->text()));
    addresses.push_back(*address);
  }
  return sys::Listener::open(addresses, line.store.port);
}

std::string where(const sys::Listener& listener) {
  const sys::Address& first = listener.addresses().front();
  return fmt::format(fmt::runtime(first.is_ipv4() ? "{}:{}" : "[{}]:{}"), first.text(),
                     listener.port());
}

/// Returns when a signal asks us to stop.
Result<void> serve(sys::EventLoop& loop, sys::BorrowedFd signals) {
  bool stopped = false;
  const auto read_signals = [&](std::uint32_t) {
    while (const auto signal = sys::take_signal()) {
      const int number = signal->number;
      if (number == SIGTSTP) ::kill(::getpid(), SIGSTOP);
      if (number == SIGTERM || number == SIGINT || number == SIGHUP) stopped = true;
    }
  };
  TRAINIT_TRY(loop.watch(signals, EPOLLIN, read_signals));
  while (!stopped) loop.run_once();
  return {};
}

Result<int> run(const CommandLine& line, Logger& log) {
  if (!line.worker_command.empty())
    return fail(fmt::format("trainit store starts no command: what is \"{}\" behind -- for?",
                            line.worker_command[0]));
  const Options options =
      TRAINIT_TRY(make_options(line, Hyperparameters(), Environment::of_process()));
  log.set_level(options.log_level);
  log.set_format(options.log_format);
  sys::raise_open_files();
  sys::EventLoop loop = TRAINIT_TRY(sys::EventLoop::create());
  const sys::UniqueFd signals = TRAINIT_TRY(sys::open_signal_fd());
  const sys::Listener listener = TRAINIT_TRY(open_listener(line, options));
  store::ServerOptions serving;
  serving.world_size = line.store.world_size;
  serving.allowed = served_by_store(options);
  serving.complain = [&log](std::string_view sentence) { log.warning("{}", sentence); };
  const auto server = TRAINIT_TRY(store::Server::start(loop, listener, std::move(serving)));
  if (const int code = print(fmt::format("listening on {}\n", where(listener)), log)) return code;
  TRAINIT_TRY(serve(loop, signals.borrow()));
  return 0;
}

}  // namespace

int store(const CommandLine& line, Logger& log) {
  const Result<int> code = run(line, log);
  if (code) return *code;
  log.error("{}", code.error().message);
  return code.error().exit_code;
}

}  // namespace trainit::commands
