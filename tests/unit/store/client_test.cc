#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "served_store.h"
#include "store/wire.h"
#include "trainit/store.h"

using namespace std::chrono_literals;
using trainit::StoreClient;

namespace {

StoreClient client_of(const ServedStore& store, StoreClient::Duration timeout = 20s) {
  auto client = StoreClient::connect("127.0.0.1", store.port(), timeout);
  REQUIRE(client);
  return std::move(*client);
}

/// A server that says one thing to whoever comes, after some time, and nothing more.
class Impostor {
 public:
  explicit Impostor(std::string says, std::chrono::milliseconds after = 0ms) {
    ::fcntl(listener_.sockets()[0].get(), F_SETFL, 0);  // its accept waits
    thread_ = std::thread([this, says = std::move(says), after] {
      const int client = ::accept(listener_.sockets()[0].get(), nullptr, nullptr);
      if (client < 0) return;
      std::this_thread::sleep_for(after);
      [[maybe_unused]] const ssize_t sent = ::send(client, says.data(), says.size(), MSG_NOSIGNAL);
      char byte;
      while (::recv(client, &byte, 1, 0) > 0) {
      }
      ::close(client);
    });
  }
  ~Impostor() {
    ::shutdown(listener_.sockets()[0].get(), SHUT_RDWR);
    thread_.join();
  }
  int port() const { return listener_.port(); }

 private:
  trainit::sys::Listener listener_ =
      std::move(*trainit::sys::Listener::open({*trainit::sys::Address::parse("127.0.0.1")}, 0));
  std::thread thread_;
};

/// What a store answers to our greeting.
std::string echo() {
  std::string bytes;
  trainit::store::write_word(static_cast<std::uint32_t>(::getpid()), bytes);
  return bytes;
}

/// How long a call takes that has to fail.
template <class Call>
std::chrono::duration<double> time_to_fail(Call call) {
  const auto begin = std::chrono::steady_clock::now();
  CHECK_FALSE(call());
  return std::chrono::steady_clock::now() - begin;
}

}  // namespace

TEST_CASE("a client does everything that the store offers") {
  const ServedStore store;
  StoreClient client = client_of(store);
  CHECK(client.set("k", "v"));
  CHECK(client.append("k", "!"));
  CHECK(*client.get("k") == "v!");
  CHECK(*client.add("n", 3) == 3);
  CHECK(*client.add("n", -1) == 2);
  CHECK(*client.compare_set("c", "", "first") == "first");
  CHECK(*client.compare_set("c", "other", "second") == "first");
  CHECK(*client.check({"k", "n"}));
  CHECK_FALSE(*client.check({"k", "missing"}));
  CHECK(client.multi_set({{"a", "1"}, {"b", std::string("\0\n", 2)}}));
  CHECK(*client.multi_get({"b", "a"}) == std::vector<std::string>{std::string("\0\n", 2), "1"});
  CHECK(*client.num_keys() == 5);
  std::vector<std::string> keys = *client.list_keys();
  std::sort(keys.begin(), keys.end());
  CHECK(keys == std::vector<std::string>{"a", "b", "c", "k", "n"});
  CHECK(*client.delete_key("a"));
  CHECK_FALSE(*client.delete_key("a"));
  CHECK(client.queue_push("q", "1"));
  CHECK(client.queue_push("q", "2"));
  CHECK(*client.queue_len("q") == 2);
  CHECK(*client.queue_pop("q") == "1");
  CHECK(client.barrier("alone", 1));
}

TEST_CASE("a value of many megabytes arrives as it was sent") {
  const ServedStore store;
  StoreClient client = client_of(store);
  std::string value(8 << 20, 'x');
  for (std::size_t index = 0; index < value.size(); index += 4096)
    value[index] = static_cast<char>(index >> 12);
  REQUIRE(client.set("large", value));
  CHECK(*client.get("large") == value);
}

TEST_CASE("two clients wait for each other") {
  const ServedStore store;
  StoreClient one = client_of(store);
  std::thread other([&] {
    StoreClient client = client_of(store);
    const auto got = client.get("from one");
    if (got && *got == "hello") (void)client.set("from other", "and back");
    (void)client.barrier("both", 2);
    (void)client.queue_push("q", "pushed");
  });
  CHECK(one.set("from one", "hello"));
  CHECK(*one.get("from other") == "and back");
  CHECK(one.barrier("both", 2));
  CHECK(*one.queue_pop("q") == "pushed");
  other.join();
}

TEST_CASE("a wait ends at its deadline, says for what, and the client goes on") {
  const ServedStore store;
  StoreClient client = client_of(store);
  const auto waited = client.wait({"a", "b"}, 50ms);
  REQUIRE_FALSE(waited);
  CHECK(waited.error().message == "waiting 0.1 s for a, b: timed out");
  CHECK_FALSE(client.get("a", 1ms));
  CHECK_FALSE(client.queue_pop("q", 1ms));
  client.set_timeout(20ms);
  CHECK_FALSE(client.barrier("two", 2));
  client.set_timeout(20s);
  CHECK(client.set("a", "1"));
  CHECK(*client.get("a") == "1");
}

TEST_CASE("a wait whose deadline races with what it waits for never upsets the client") {
  const ServedStore store;
  StoreClient waiter = client_of(store);
  StoreClient setter = client_of(store);
  int came = 0, timed_out = 0;
  const auto both_were_seen = [&] { return came > 0 && timed_out > 0; };
  for (int round = 0; round < 200 || (round < 10'000 && !both_were_seen()); ++round) {
    const std::string key = "k" + std::to_string(round);
    const auto delay = std::chrono::microseconds(50 * (round % 100));
    std::thread thread([&] {
      std::this_thread::sleep_for(delay);
      (void)setter.set(key, "v");
    });
    const auto waited = waiter.wait({key}, 2ms);
    thread.join();
    ++(waited ? came : timed_out);
    REQUIRE(*waiter.get(key) == "v");
  }
  CHECK(both_were_seen());
}

TEST_CASE("nobody there: the client tries until its deadline and names the place") {
  int port = 0;
  {
    const ServedStore store;
    port = store.port();
  }
  const auto client = StoreClient::connect("127.0.0.1", port, 100ms);
  REQUIRE_FALSE(client);
  CHECK(client.error().message == "connecting to the rendezvous store at 127.0.0.1:" +
                                      std::to_string(port) + ": Connection refused (ECONNREFUSED)");
}

TEST_CASE("a server that answers nothing is found out at the deadline, another one at once") {
  const Impostor silent(""), other("HTTP/1.1 400 Bad Request\r\n\r\n");
  const auto unanswered = StoreClient::connect("localhost", silent.port(), 200ms);
  REQUIRE_FALSE(unanswered);
  CHECK(unanswered.error().message.find("no answer in time") != std::string::npos);
  const auto refused = StoreClient::connect("localhost", other.port(), 30s);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("there is no rendezvous store") != std::string::npos);
}

TEST_CASE("a server that hangs costs a client its timeout, and the client then stays broken") {
  const ServedStore store;
  StoreClient client = client_of(store);
  store.signal(SIGSTOP);
  client.set_timeout(50ms);
  CHECK_FALSE(client.add("n", 1));
  store.signal(SIGCONT);
  // The late answer must not be taken for that of another request.
  const auto second = client.add("other", 5);
  REQUIRE_FALSE(second);
  CHECK(second.error().message.find("the connection was lost before") != std::string::npos);
}

TEST_CASE("no call outlasts its timeout by more than the time for an answer") {
  constexpr auto kMost = StoreClient::kAnswerTime + 2s;
  SUBCASE("a wait that a server which hangs does not answer") {
    const ServedStore store;
    StoreClient client = client_of(store);
    CHECK(client.set("k", "v"));
    CHECK(*client.get("k") == "v");
    store.signal(SIGSTOP);
    CHECK(time_to_fail([&] { return client.get("k", 100ms); }) < kMost);
  }
  SUBCASE("what was waited for has come, and the server hangs then") {
    const Impostor impostor(echo() + trainit::store::kStopWaiting);
    auto client = StoreClient::connect("127.0.0.1", impostor.port(), 20s);
    REQUIRE(client);
    client->set_timeout(100ms);
    CHECK(time_to_fail([&] { return client->multi_get({"k"}); }) < kMost);
  }
  SUBCASE("connecting and joining have one timeout together") {
    const Impostor impostor(echo(), 2s);
    ::setenv("MASTER_ADDR", "127.0.0.1", 1);
    ::setenv("MASTER_PORT", std::to_string(impostor.port()).c_str(), 1);
    CHECK(time_to_fail([&] { return StoreClient::join_from_environment(3s); }) < 4.5s);
  }
}

TEST_CASE("nobody there: the client goes on trying for as long as it may") {
  int port = 0;
  {
    const ServedStore store;
    port = store.port();
  }
  const auto took = time_to_fail([&] { return StoreClient::connect("127.0.0.1", port, 1500ms); });
  CHECK(took > 1480ms);
  CHECK(took < 2200ms);  // its pauses are of a second by then
}

TEST_CASE("a server that goes away ends a wait at once") {
  ServedStore store;
  StoreClient client = client_of(store);
  std::thread killer([&] {
    std::this_thread::sleep_for(20ms);
    store.signal(SIGKILL);
  });
  const auto waited = client.get("never");
  killer.join();
  REQUIRE_FALSE(waited);
  CHECK(waited.error().message.find("timed out") == std::string::npos);
}

TEST_CASE("who comes again without joining sees the same keys, and who joins again does not") {
  const ServedStore store(1);
  ::setenv("MASTER_ADDR", "127.0.0.1", 1);
  ::setenv("MASTER_PORT", std::to_string(store.port()).c_str(), 1);
  for (const char* key : {"first", "second"}) {
    auto visitor = StoreClient::connect_from_environment(20s);
    REQUIRE(visitor);
    CHECK(visitor->set(key, "v"));
  }
  CHECK(*StoreClient::connect_from_environment(20s)->check({"first", "second"}));
  {
    auto joined = StoreClient::join_from_environment(20s);
    REQUIRE(joined);
    CHECK(*joined->check({"first", "second"}));
  }
  CHECK_FALSE(*StoreClient::join_from_environment(20s)->check({"first"}));
}

TEST_CASE("a worker joins where its environment says") {
  const ServedStore store(2);
  ::setenv("MASTER_ADDR", "127.0.0.1", 1);
  ::setenv("MASTER_PORT", std::to_string(store.port()).c_str(), 1);
  auto worker = StoreClient::join_from_environment(20s);
  REQUIRE(worker);
  CHECK(*worker->num_keys() == 1);  // the counter of those who joined
  CHECK(worker->list_keys()->empty());
  auto visitor = StoreClient::connect_from_environment(20s);
  REQUIRE(visitor);
  CHECK(visitor->set("k", "v"));
  CHECK(*worker->get("k") == "v");
  ::setenv("MASTER_PORT", "29500x", 1);
  CHECK(StoreClient::join_from_environment(1s).error().message ==
        "MASTER_PORT is \"29500x\": expected a port from 1 to 65535");
  ::unsetenv("MASTER_ADDR");
  CHECK(StoreClient::join_from_environment(1s).error().message ==
        "MASTER_ADDR is not set: where is the rendezvous store?");
}
