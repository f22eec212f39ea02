#include <cstdio>
#include <cstring>
#include <vector>

#include "measures.h"
#include "poller.h"

namespace store_load {

namespace {

constexpr double kWarmUpSeconds = 0.1;
constexpr std::size_t kValueBytes = 170;  // as Gloo's addresses

// One client's endless talk with the server.
class Talk {
 public:
  Talk(std::string_view mix, std::size_t client, std::size_t clients)
      : mix_(mix), client_(client), value_(kValueBytes, 'v') {
    for (std::size_t i = 0; i < clients; ++i) keys_.push_back(key_of(i));
    if (mix != "add" && mix != "set+get" && mix != "wait+get") fail("unknown mix");
  }

  // What has to be there before anybody talks.
  Exchange preparation() const {
    Exchange exchange;
    if (mix_ == "wait+get") set(exchange, keys_[client_], value_);
    ping(exchange);
    return exchange;
  }

  // As many as have `answers` answers.
  void append_requests(Exchange& exchange, std::uint64_t answers) {
    while (answers > 0) answers -= append_request(exchange);
  }

 private:
  // Gives whether it has an answer.
  bool append_request(Exchange& exchange) {
    const std::uint64_t step = step_++;
    const bool first = step % 2 == 0;
    if (mix_ == "add") return append_add(exchange), true;
    if (mix_ == "set+get") return first ? append_set(exchange) : append_get(exchange, client_);
    const std::size_t other = step / 2 % keys_.size();
    return first ? (wait(exchange, keys_[other]), true) : append_get(exchange, other);
  }

  void append_add(Exchange& exchange) {
    add(exchange, keys_[client_], 1, static_cast<std::int64_t>(step_));
  }

  bool append_set(Exchange& exchange) {
    std::memcpy(value_.data(), &step_, sizeof step_);
    set(exchange, keys_[client_], value_);
    return false;
  }

  bool append_get(Exchange& exchange, std::size_t client) {
    get(exchange, keys_[client], value_);
    return true;
  }

  std::string mix_;
  std::size_t client_;
  std::vector<std::string> keys_;
  std::string value_;
  std::uint64_t step_ = 0;
};

struct Mark {
  double at = 0;
  double cpu = 0;
  std::uint64_t requests = 0;
};

class RateRun {
 public:
  RateRun(const Server& server, const std::string& mix, std::size_t clients,
          std::uint64_t in_flight)
      : server_(server),
        in_flight_(in_flight),
        fds_(server.connected(clients)),
        exchanges_(clients) {
    for (std::size_t i = 0; i < clients; ++i) {
      talks_.emplace_back(mix, i, clients);
      ask(fds_[i], talks_[i].preparation());
      poller_.watch(fds_[i], i, EPOLLIN);
    }
  }

  void run(double seconds) {
    const Mark begin = talk_until(now() + kWarmUpSeconds);
    const Mark end = talk_until(begin.at + seconds);
    std::printf("{\"seconds\": %.9f, \"cpu\": %.9f, \"requests\": %llu}\n", end.at - begin.at,
                end.cpu - begin.cpu,
                static_cast<unsigned long long>(end.requests - begin.requests));
  }

 private:
  Mark talk_until(double end) {
    while (now() < end) talk();
    return {now(), server_.cpu_seconds(), answered_};
  }

  // All that is sent is put together before, so that the server has it as soon as can be.
  void talk() {
    for (std::size_t i = 0; i < fds_.size(); ++i) {
      exchanges_[i].clear();
      talks_[i].append_requests(exchanges_[i], in_flight_);
    }
    for (std::size_t i = 0; i < fds_.size(); ++i) send_all(fds_[i], exchanges_[i].request);
    unanswered_ = fds_.size();
    while (unanswered_ > 0) poller_.visit_ready(kSilenceMs, [this](std::size_t i) { listen(i); });
  }

  void listen(std::size_t i) {
    Exchange& exchange = exchanges_[i];
    check(exchange, receive(fds_[i]));
    if (!exchange.answered()) return;
    answered_ += exchange.requests;
    --unanswered_;
  }

  const Server& server_;
  std::uint64_t in_flight_;
  std::vector<int> fds_;
  std::vector<Exchange> exchanges_;
  std::vector<Talk> talks_;
  Poller poller_;
  std::size_t unanswered_ = 0;
  std::uint64_t answered_ = 0;
};

}  // namespace

void rate(const Server& server, const std::string& mix, std::size_t clients,
          std::uint64_t in_flight, double seconds) {
  RateRun(server, mix, clients, in_flight).run(seconds);
}

}  // namespace store_load
