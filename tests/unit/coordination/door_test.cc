#include "coordination/door.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <list>

#include "loopback.h"

using namespace trainit;
using namespace trainit::coordination;
using namespace std::chrono_literals;
using testing::Client;
using testing::connect_to;
using testing::key_of;
using testing::make_loop;
using testing::run_until;

namespace {

constexpr std::size_t kHosts = 2, kStrangers = 3;

struct Fixture {
  explicit Fixture(std::string why_closed = {}, bool is_allowed = true, bool knows_hosts = true,
                   sys::Duration answers = 1h) {
    auto opened = Door::open(
        loop,
        {.listener = listener,
         .key = key,
         .hosts = {"algo-1", "algo-2"},
         .is_allowed = [is_allowed](const sys::Address&) { return is_allowed; },
         .knows_hosts = [knows_hosts] { return knows_hosts; },
         .why_closed = [why_closed] { return why_closed; },
         .joined =
             [this](int host, const sys::Address& address, std::unique_ptr<Connection> connection) {
               CHECK(address.is_loopback());
               joined.emplace_back(host, std::move(connection));
             },
         .complain = [this](const std::string& what) { complaints.push_back(what); },
         .answers = answers,
         .most_strangers = kStrangers});
    REQUIRE(opened);
    door = std::move(*opened);
  }

  bool complained(std::string_view of) const {
    return std::any_of(complaints.begin(), complaints.end(), [&](const std::string& complaint) {
      return complaint.find(of) != std::string::npos;
    });
  }

  sys::EventLoop loop = make_loop();
  sys::Listener listener = testing::listen_here();
  JobKey key = key_of("job");
  std::vector<std::pair<int, std::unique_ptr<Connection>>> joined;
  std::vector<std::string> complaints;
  std::unique_ptr<Door> door;
};

/// UndefinedBehaviorSanitizer opens a pipe to look at an object, and takes it for broken when it
/// cannot.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kNeedsDescriptors = true;
#else
constexpr bool kNeedsDescriptors = false;
#endif

/// Of this process, while it lives.
class LimitOfFiles {
 public:
  explicit LimitOfFiles(int most) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit limit = {static_cast<rlim_t>(most), before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  }
  ~LimitOfFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  LimitOfFiles(const LimitOfFiles&) = delete;
  LimitOfFiles& operator=(const LimitOfFiles&) = delete;

 private:
  rlimit before_ = {};
};

}  // namespace

TEST_CASE("a host that knows the key comes in, and both know it") {
  Fixture it;
  Client client(it.loop, it.listener, it.key, "algo-2");
  run_until(it.loop, [&] { return !it.joined.empty() && client.last<message::Welcome>(); });
  CHECK(it.joined.front().first == 1);
  CHECK(client.handshake.accepts(*client.last<message::Welcome>()));
  CHECK(it.complaints.empty());
}

TEST_CASE("who does not know the key is told so, and sent away") {
  Fixture it;
  const JobKey other = key_of("another job");
  Client client(it.loop, it.listener, other, "algo-2");
  run_until(it.loop, [&] { return client.closed.has_value(); });
  REQUIRE(client.last<message::Refusal>());
  CHECK_FALSE(client.last<message::Refusal>()->final);
  CHECK(it.joined.empty());
  CHECK(it.complained("turned away"));
}

TEST_CASE("who comes too late is told so, and that it need not come again") {
  Fixture it("the job has begun");
  Client client(it.loop, it.listener, it.key, "algo-2");
  run_until(it.loop, [&] { return client.closed.has_value(); });
  REQUIRE(client.last<message::Refusal>());
  CHECK(client.last<message::Refusal>()->final);
  CHECK(client.last<message::Refusal>()->why == "the job has begun");
  CHECK(it.joined.empty());
}

TEST_CASE("an address that is none of the hosts' gets no word") {
  Fixture it({}, false);
  Client client(it.loop, it.listener, it.key, "algo-2");
  run_until(it.loop, [&] { return client.closed.has_value(); });
  CHECK(client.heard.empty());
  CHECK(it.complained("127.0.0.1"));
}

TEST_CASE(
    "an address that may be that of a host without one yet is turned away and not complained of") {
  Fixture it({}, false, false);
  Client client(it.loop, it.listener, it.key, "algo-2");
  run_until(it.loop, [&] { return client.closed.has_value(); });
  CHECK(client.heard.empty());
  CHECK(it.complaints.empty());
}

TEST_CASE("garbage of many is complained of once, and keeps nobody out") {
  Fixture it;
  std::list<Client> strangers;
  for (int number = 0; number < 3; ++number) {
    strangers.emplace_back(it.loop, it.listener, it.key, "algo-2");
    strangers.back().connection.send(message::Heartbeat{});
  }
  run_until(it.loop, [&] {
    return std::all_of(strangers.begin(), strangers.end(),
                       [](const Client& stranger) { return stranger.closed.has_value(); });
  });
  CHECK(it.complaints.size() == 1);
  Client client(it.loop, it.listener, it.key, "algo-2");
  run_until(it.loop, [&] { return !it.joined.empty(); });
}

TEST_CASE("who does not say who it is in time is sent away, whatever bytes it sends") {
  Fixture it({}, true, true, 200ms);
  const sys::UniqueFd silent = connect_to(it.listener), slow = connect_to(it.listener);
  // A frame that could become an answer, of which a byte comes now and then.
  const std::string frame = encode(message::Answer{1, "algo-2", std::string(500, 'n'), "proof"});
  std::size_t sent = 0;
  const std::function<void()> dribble = [&] {
    if (sent < frame.size()) ::send(slow.get(), &frame[sent++], 1, MSG_NOSIGNAL);
    it.loop.after(5ms, dribble);
  };
  dribble();
  const auto is_closed = [](const sys::UniqueFd& socket) {
    char bytes[64];
    const ssize_t got = ::recv(socket.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
  };
  bool silent_left = false, slow_left = false;
  run_until(it.loop, [&] {
    silent_left = silent_left || is_closed(silent);
    slow_left = slow_left || is_closed(slow);
    return silent_left && slow_left;
  });
  CHECK(sent < frame.size());
  CHECK(it.complaints.size() == 1);
  CHECK(it.complained("127.0.0.1 connected to the control port and did not say who it is"));
}

TEST_CASE("of too many that have not said who they are the oldest are sent away, and no host is") {
  Fixture it;
  std::list<Client> silent;
  for (std::size_t number = 0; number < kHosts + kStrangers + 2; ++number) {
    silent.emplace_back(it.loop, it.listener, it.key, "algo-2");
    silent.back().answers = false;
  }
  run_until(it.loop, [&] {
    return std::next(silent.begin())->closed.has_value() &&
           silent.back().last<message::Challenge>();
  });
  CHECK(std::count_if(silent.begin(), silent.end(),
                      [](const Client& client) { return client.closed.has_value(); }) == 2);
  CHECK(it.complaints.size() == 1);
  CHECK(it.complained("more than 5 connections"));
  Client client(it.loop, it.listener, it.key, "algo-2");
  run_until(it.loop, [&] { return !it.joined.empty(); });
}

TEST_CASE("those who say nothing keep no host out, also when they have all descriptors" *
          doctest::skip(kNeedsDescriptors)) {
  Fixture it;
  std::vector<sys::UniqueFd> silent;
  for (int number = 0; number < 12; ++number) silent.push_back(connect_to(it.listener));
  Client client(it.loop, it.listener, it.key, "algo-2");
  const int next = ::fcntl(silent[0].get(), F_DUPFD_CLOEXEC, 0);
  ::close(next);
  const LimitOfFiles limit(next + 3);
  run_until(it.loop, [&] { return !it.joined.empty(); });
  CHECK(it.complained("cannot accept"));
  CHECK_FALSE(it.complained("did not say who it is"));  // whose time is over
}

TEST_CASE("a control port that had no room accepts again when there is" *
          doctest::skip(kNeedsDescriptors)) {
  Fixture it;
  Client client(it.loop, it.listener, it.key, "algo-2");
  {
    const int next = ::fcntl(it.listener.sockets()[0].get(), F_DUPFD_CLOEXEC, 0);
    ::close(next);
    const LimitOfFiles limit(next);
    run_until(it.loop, [&] { return it.complained("cannot accept"); });
  }
  run_until(it.loop, [&] { return !it.joined.empty(); });
}
