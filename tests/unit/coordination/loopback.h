#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordination/connection.h"
#include "coordination/handshake.h"
#include "sys/address.h"
#include "sys/event_loop.h"
#include "sys/listener.h"

/// Real sockets between two ends in one loop.
namespace trainit::coordination::testing {

inline sys::EventLoop make_loop() {
  auto loop = sys::EventLoop::create();
  REQUIRE(loop);
  return std::move(*loop);
}

/// Turns the loop until it is so; a test fails after a time that no machine needs.
inline void run_until(sys::EventLoop& loop, const std::function<bool()>& is_so) {
  bool late = false;
  const auto timer = loop.after(std::chrono::seconds(30), [&late] { late = true; });
  while (!late && !is_so()) loop.run_once();
  loop.cancel(timer);
  REQUIRE_FALSE(late);
}

inline sys::Listener listen_here() {
  auto listener = sys::Listener::open({*sys::Address::parse("127.0.0.1")}, 0);
  REQUIRE_MESSAGE(listener.has_value(), (listener ? "" : listener.error().message));
  return std::move(*listener);
}

inline JobKey key_of(const std::string& job) {
  const auto key = JobKey::of(std::nullopt, job, "", {"algo-1", "algo-2"});
  REQUIRE(key);
  return *key;
}

inline sys::UniqueFd connect_to(const sys::Listener& listener) {
  sys::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(socket);
  socklen_t size = 0;
  const sockaddr_storage where = listener.addresses().front().socket_address(listener.port(), size);
  REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&where), size) == 0);
  return socket;
}

/// A client of a control port that knows this key, and what it is told.
struct Client {
  Client(sys::EventLoop& loop, const sys::Listener& listener, const JobKey& key, std::string host)
      : connection(loop, connect_to(listener)), handshake(key, std::move(host), random_nonce()) {
    REQUIRE(connection.listen({.received = [this](const Message& message) { hear(message); },
                               .closed = [this](const std::string& how) { closed = how; }}));
  }
  void hear(const Message& message) {
    heard.push_back(message);
    const auto* challenge = std::get_if<message::Challenge>(&message);
    if (challenge == nullptr || !answers) return;
    const auto answer = handshake.answer(*challenge);
    REQUIRE(answer);
    connection.send(*answer);
  }
  template <class Kind>
  const Kind* last() const {
    for (auto message = heard.rbegin(); message != heard.rend(); ++message) {
      if (const auto* found = std::get_if<Kind>(&*message)) return found;
    }
    return nullptr;
  }

  Connection connection;
  MemberHandshake handshake;
  bool answers = true;
  std::vector<Message> heard;
  std::optional<std::string> closed;
};

}  // namespace trainit::coordination::testing
