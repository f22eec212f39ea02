#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

#include "measures.h"
#include "poller.h"

namespace store_load {

namespace {

// One that connects when all do: it sends its greeting as soon as it is connected, and says that it
// has joined as soon as it was greeted back.
class NewClient {
 public:
  explicit NewClient(int fd) : fd_(fd) { ping(greeting_); }

  int fd() const { return fd_; }

  // To be called when something has happened to its socket. Gives whether it has its last answer.
  bool attend() {
    if (state_ == State::kConnecting) return greet(), false;
    const std::string_view came = receive(fd_);
    if (state_ == State::kGreeting) return check(greeting_, came), join_if_greeted(), false;
    number_ += came;
    if (number_.size() > sizeof(std::int64_t)) fail("an answer too many");
    return !came.empty() && number_.size() == sizeof(std::int64_t);
  }

  // What the counter of those who have joined was for it.
  std::int64_t number() const {
    std::int64_t result = 0;
    std::memcpy(&result, number_.data(), sizeof result);
    return result;
  }

 private:
  enum class State { kConnecting, kGreeting, kJoining };

  // In two writes, as PyTorch's client does.
  void greet() {
    Exchange validation;
    validate(validation);
    send_all(fd_, validation.request);
    send_all(fd_, greeting_.request);
    state_ = State::kGreeting;
  }

  void join_if_greeted() {
    if (!greeting_.answered()) return;
    Exchange joining;
    add(joining, "init/", 1);
    send_all(fd_, joining.request);
    state_ = State::kJoining;
  }

  int fd_;
  State state_ = State::kConnecting;
  Exchange greeting_;
  std::string number_;
};

// Whether they were counted one by one, in whatever order.
void check_numbers(const std::vector<NewClient>& clients) {
  std::vector<std::int64_t> numbers;
  numbers.reserve(clients.size());
  for (const NewClient& client : clients) numbers.push_back(client.number());
  std::sort(numbers.begin(), numbers.end());
  for (std::size_t i = 1; i < numbers.size(); ++i)
    if (numbers[i] != numbers[i - 1] + 1) fail("clients were not counted one by one");
}

// Segments that were lost, because the server's queue of new connections was full.
unsigned sent_again(const std::vector<NewClient>& clients) {
  unsigned result = 0;
  for (const NewClient& client : clients) {
    tcp_info info{};
    socklen_t size = sizeof info;
    need(getsockopt(client.fd(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0, "TCP_INFO");
    result += info.tcpi_total_retrans;
  }
  return result;
}

}  // namespace

std::string key_of(std::size_t client) {
  static const std::string run = std::to_string(static_cast<std::int64_t>(now() * 1e9));
  return "/" + run + "/default_pg/0//cpu//0/" + std::to_string(client);
}

void connect_storm(const Server& server, std::size_t count) {
  Poller poller;
  std::vector<NewClient> clients;
  clients.reserve(count);
  std::size_t done = 0;
  const auto attend = [&](std::size_t i) { done += clients[i].attend(); };
  const double cpu_before = server.cpu_seconds(), begin = now();
  while (clients.size() < count) {
    clients.emplace_back(server.begin_connect());
    poller.watch(clients.back().fd(), clients.size() - 1, EPOLLIN | EPOLLOUT | EPOLLET);
    if (clients.size() % 32 == 0) poller.visit_ready(0, attend);
  }
  while (done < count) poller.visit_ready(kSilenceMs, attend);
  const double seconds = now() - begin, cpu = server.cpu_seconds() - cpu_before;
  std::printf("{\"seconds\": %.9f, \"cpu\": %.9f, \"sent_again\": %u}\n", seconds, cpu,
              sent_again(clients));
  check_numbers(clients);
}

void wake_storm(const Server& server, std::size_t count) {
  Poller poller;
  const std::string key = key_of(0);
  const std::vector<int> waiting = server.connected(count);
  const int setter = server.connected();
  std::vector<Exchange> exchanges(count);
  for (std::size_t i = 0; i < count; ++i) {
    wait(exchanges[i], key);
    send_all(waiting[i], exchanges[i].request);
    poller.watch(waiting[i], i, EPOLLIN);
  }
  server.wait_until_idle();
  if (poller.visit_ready(0, [](std::size_t) {}) != 0) fail("an answer before the key was set");

  std::size_t woken = 0;
  Exchange setting;
  set(setting, key, "there");
  const double cpu = server.cpu_seconds(), begin = now();
  send_all(setter, setting.request);
  while (woken < count)
    poller.visit_ready(kSilenceMs, [&](std::size_t i) {
      check(exchanges[i], receive(waiting[i]));
      woken += exchanges[i].answered();
    });
  const double seconds = now() - begin;
  server.wait_until_idle();
  std::printf("{\"seconds\": %.9f, \"cpu\": %.9f}\n", seconds, server.cpu_seconds() - cpu);
  if (poller.visit_ready(0, [](std::size_t) {}) != 0) fail("a second answer to one WAIT");
}

void idle_memory(const Server& server, std::size_t count) {
  const std::vector<int> first = server.connected(16);  // what comes with the first few is no part
  server.wait_until_idle();
  const std::int64_t before = server.resident_bytes();
  const std::vector<int> idle = server.connected(count);
  server.wait_until_idle();
  std::printf("{\"bytes\": %lld}\n", static_cast<long long>(server.resident_bytes() - before));
  Exchange still_there;
  ping(still_there);
  for (const int fd : idle) ask(fd, still_there);
}

}  // namespace store_load
