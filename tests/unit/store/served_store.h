#pragma once

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/server.h"

/// A store that a child of the test serves on loopback, for clients that block.
class ServedStore {
 public:
  explicit ServedStore(int world_size = 0) {
    child_ = ::fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) serve(world_size);
  }
  ServedStore(const ServedStore&) = delete;
  ~ServedStore() { end(); }

  int port() const { return listener_.port(); }

  void signal(int number) const { ::kill(child_, number); }
  void end() {
    if (child_ <= 0) return;
    signal(SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = -1;
  }

 private:
  [[noreturn]] void serve(int world_size) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto loop = trainit::sys::EventLoop::create();
    trainit::store::ServerOptions options;
    options.world_size = world_size;
    options.allowed = trainit::sys::AddressRange::loopback();
    options.joined = [](std::string_view, std::uint32_t) {};
    options.joined_nameless = [](int) {};
    options.complain = [](std::string_view) {};
    const auto server = trainit::store::Server::start(*loop, listener_, std::move(options));
    for (;;) loop->run_once();
  }

  trainit::sys::Listener listener_ =
      std::move(*trainit::sys::Listener::open({*trainit::sys::Address::parse("127.0.0.1")}, 0));
  pid_t child_ = -1;
};
