#include "coordination/dialer.h"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <functional>
#include <list>
#include <optional>
#include <utility>

#include "coordination/door.h"
#include "loopback.h"
#include "names/dns_server.h"
#include "temporary_directory.h"
#include "told.h"

using namespace trainit;
using namespace trainit::coordination;
using namespace std::chrono_literals;
using testing::key_of;
using testing::make_loop;
using testing::run_until;
using Told = std::vector<std::string>;

namespace {

/// Of a leader that answers, on a machine that has much to do.
constexpr Dialer::Patience kLong{60s, 60s, 60s};

sys::Address here(const char* text) { return *sys::Address::parse(text); }

sys::UniqueFd bound_to(const sys::Address& address, int port) {
  sys::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  socklen_t size = 0;
  const sockaddr_storage where = address.socket_address(port, size);
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&where), size) == 0);
  return socket;
}

int port_of(const sys::UniqueFd& socket) {
  sockaddr_in address = {};
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

/// An address at which nobody refuses and nobody answers, as at one that packets do not come to:
/// the kernel drops what asks for a connection when there is no room for one more.
class DeadAddress {
 public:
  DeadAddress(const char* address, int port) : listening_(bound_to(here(address), port)) {
    REQUIRE(::listen(listening_.get(), 0) == 0);
    socklen_t size = 0;
    const sockaddr_storage where = here(address).socket_address(port, size);
    for (sys::UniqueFd& guest : guests_) {
      guest = sys::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      [[maybe_unused]] const int pending =
          ::connect(guest.get(), reinterpret_cast<const sockaddr*>(&where), size);
    }
  }

 private:
  sys::UniqueFd listening_, guests_[3];
};

/// Accepts connections, and does with each what the test says.
class OddLeader {
 public:
  OddLeader(sys::EventLoop& loop, std::function<void(Connection& connection)> greet)
      : loop_(loop), greet_(std::move(greet)) {
    REQUIRE(loop_.watch(listener.sockets()[0].borrow(), EPOLLIN, [this](std::uint32_t) {
      sys::Accepted accepted = sys::accept_from(listener.sockets()[0].borrow());
      if (accepted.result != sys::Accepted::Result::kConnection) return;
      connections.push_back(std::make_unique<Connection>(loop_, std::move(accepted.socket)));
      greet_(*connections.back());
    }));
  }
  ~OddLeader() { loop_.unwatch(listener.sockets()[0].borrow()); }
  OddLeader(const OddLeader&) = delete;
  OddLeader& operator=(const OddLeader&) = delete;

  sys::Listener listener = testing::listen_here();
  std::list<std::unique_ptr<Connection>> connections;  ///< one for each try

 private:
  sys::EventLoop& loop_;
  std::function<void(Connection& connection)> greet_;
};

/// algo-2, which dials, and the door of algo-1.
struct Fixture {
  void open_door(const sys::Listener& at, std::string why_closed = {}, bool is_allowed = true) {
    auto opened = Door::open(
        loop, {.listener = at,
               .key = leaders_key,
               .hosts = {"algo-1", "algo-2"},
               .is_allowed = [is_allowed](const sys::Address&) { return is_allowed; },
               .knows_hosts = [] { return false; },
               .why_closed = [why_closed] { return why_closed; },
               .joined =
                   [this](int host, const sys::Address&, std::unique_ptr<Connection> came) {
                     let_in = host;
                     leaders_end = std::move(came);
                     REQUIRE(leaders_end->listen({}));
                   },
               .complain = [](const std::string&) {}});
    REQUIRE(opened);
    door = std::move(*opened);
  }

  void dial(int port, const std::string& leader = "127.0.0.1",
            const Dialer::Patience& patience = kLong, const names::Servers& servers = {}) {
    dialer = std::make_unique<Dialer>(
        loop,
        Dialer::Setup{.leader = leader,
                      .port = port,
                      .key = key,
                      .host = "algo-2",
                      .joined =
                          [this](std::unique_ptr<Connection> through, const sys::Address& at) {
                            joined_at.push_back(at.text());
                            connection = std::move(through);
                            REQUIRE(connection->listen({}));
                          },
                      .waiting = [this](const std::string& why) { waited.push_back(why); },
                      .refused = [this](const std::string& why) { refused.push_back(why); },
                      .patience = patience,
                      .servers = servers});
    dialer->dial();
  }

  void run_until_waiting() {
    run_until(loop, [&] { return !waited.empty() || !joined_at.empty(); });
  }
  void run_until_joined() {
    run_until(loop, [&] { return !joined_at.empty() && let_in == 1; });
  }
  void run_for(sys::Duration duration) {
    bool over = false;
    loop.after(duration, [&over] { over = true; });
    while (!over) loop.run_once();
  }

  sys::EventLoop loop = make_loop();
  JobKey key = key_of("job"), leaders_key = key;
  int let_in = -1;  ///< the host that the leader took it for
  std::unique_ptr<Connection> leaders_end, connection;
  Told joined_at, waited, refused;
  std::unique_ptr<Door> door;
  std::unique_ptr<Dialer> dialer;
};

/// A name server of the test's own.
struct Names {
  explicit Names(sys::EventLoop& loop) : dns(loop) {}

  DnsServer dns;
  TemporaryDirectory directory;
  names::Servers servers{directory.write("resolv.conf", "nameserver 127.0.0.1\n"), dns.port()};
};

}  // namespace

TEST_CASE("a leader that listens is joined at its address, without a word of waiting") {
  const sys::Listener listener = testing::listen_here();
  Fixture it;
  it.open_door(listener);
  it.dial(listener.port());
  it.run_until_joined();
  CHECK(it.joined_at == Told{"127.0.0.1"});
  CHECK(it.waited == Told{});
}

TEST_CASE("messages go both ways through a connection that was joined, also long ones") {
  const sys::Listener listener = testing::listen_here();
  Fixture it;
  it.open_door(listener);
  it.dial(listener.port());
  it.run_until_joined();
  std::string at_leader, at_member;
  const auto hear = [](std::string& what) {
    return Connection::Callbacks{
        .received =
            [&what](const Message& message) {
              if (const auto* text = std::get_if<message::Waiting>(&message)) what = text->text;
            },
        .closed = [](const std::string& how) { FAIL(how); }};
  };
  REQUIRE(it.leaders_end->listen(hear(at_leader)));
  REQUIRE(it.connection->listen(hear(at_member)));
  const std::string text(8192, 'x');  // no greeting is so long
  it.connection->send(message::Waiting{text});
  it.leaders_end->send(message::Waiting{text});
  run_until(it.loop, [&] { return !at_leader.empty() && !at_member.empty(); });
  CHECK(at_leader == text);
  CHECK(at_member == text);
}

TEST_CASE("a leader that refuses its port is waited for, told of once, and joined when it comes") {
  std::optional<sys::Listener> listener;
  Fixture it;
  std::optional<sys::UniqueFd> taken = bound_to(here("127.0.0.1"), 0);  // and does not listen
  const int port = port_of(*taken);
  it.dial(port);
  it.run_until_waiting();
  it.run_for(1s);  // at least one more try
  CHECK(it.waited == Told{fmt::format("the leader 127.0.0.1 refuses port {}", port)});
  taken.reset();
  auto opened = sys::Listener::open({here("127.0.0.1")}, port);
  REQUIRE(opened);
  listener = std::move(*opened);
  it.open_door(*listener);
  it.run_until_joined();
  CHECK(it.waited.size() == 1);
}

TEST_CASE("a name without an address is looked up again and again until it has one") {
  const sys::Listener listener = testing::listen_here();
  Fixture it;
  Names names(it.loop);
  it.open_door(listener);
  it.dial(listener.port(), "leader.example", kLong, names.servers);
  it.run_until_waiting();
  CHECK(it.waited == Told{"the leader leader.example has no address yet (no such name)"});
  names.dns.names["leader.example"] = {{"127.0.0.1"}};
  it.run_until_joined();
  CHECK(it.joined_at == Told{"127.0.0.1"});
  CHECK(it.waited.size() == 1);
}

TEST_CASE("a name server that does not answer keeps nobody waiting for longer than a look-up may") {
  const sys::Listener listener = testing::listen_here();
  Fixture it;
  Names names(it.loop);
  names.dns.names["leader.example"] = {
      .addresses = {}, .answers_ipv4 = false, .answers_ipv6 = false};
  it.open_door(listener);
  it.dial(listener.port(), "leader.example", {.look_up = 200ms}, names.servers);
  it.run_until_waiting();
  REQUIRE(it.waited.size() == 1);
  CHECK(it.waited[0].starts_with("the leader leader.example has no address yet ("));
  names.dns.names["leader.example"] = {{"127.0.0.1"}};
  it.run_until_joined();
}

TEST_CASE("a leader that accepts and says nothing is told of, and dialled anew") {
  Fixture it;
  OddLeader leader(it.loop, [](Connection&) {});
  it.dial(leader.listener.port(), "127.0.0.1", {.connect = 60s, .shake_hands = 200ms});
  it.run_until_waiting();
  CHECK(it.waited == Told{fmt::format("the leader 127.0.0.1 does not say who it is at port {}",
                                      leader.listener.port())});
  run_until(it.loop, [&] { return leader.connections.size() == 2; });
  CHECK(it.joined_at == Told{});
}

TEST_CASE("an address that does not answer is told of when it is the only one") {
  Fixture it;
  const sys::UniqueFd taken = bound_to(here("127.0.0.1"), 0);
  const int port = port_of(taken);
  const DeadAddress dead("127.0.0.2", port);
  it.dial(port, "127.0.0.2", {.connect = 200ms});
  it.run_until_waiting();
  CHECK(it.waited ==
        Told{fmt::format("the leader 127.0.0.2 does not answer at 127.0.0.2 port {}", port)});
}

TEST_CASE("of several addresses the first that leads to the leader is taken, without a word") {
  const sys::Listener listener = testing::listen_here();
  Fixture it;
  Names names(it.loop);
  names.dns.names["leader.example"] = {{"127.0.0.2", "127.0.0.3", "127.0.0.1"}};
  it.open_door(listener);
  std::optional<DeadAddress> dead;
  SUBCASE("the others refuse the port") {
    it.dial(listener.port(), "leader.example", kLong, names.servers);
  }
  SUBCASE("one of the others does not answer") {
    dead.emplace("127.0.0.2", listener.port());
    it.dial(listener.port(), "leader.example", {.connect = 300ms}, names.servers);
  }
  it.run_until_joined();
  CHECK(it.joined_at == Told{"127.0.0.1"});
  CHECK(it.waited == Told{});
}

TEST_CASE("of several addresses that lead to the leader the first is taken") {
  const auto listener = sys::Listener::open({here("127.0.0.1"), here("127.0.0.2")}, 0);
  REQUIRE(listener);
  Fixture it;
  Names names(it.loop);
  names.dns.names["leader.example"] = {{"127.0.0.2", "127.0.0.1"}};
  it.open_door(*listener);
  it.dial(listener->port(), "leader.example", kLong, names.servers);
  it.run_until_joined();
  CHECK(it.joined_at == Told{"127.0.0.2"});
}

TEST_CASE("a leader with another key is told of as such, and may become the right one") {
  const sys::Listener listener = testing::listen_here();
  Fixture it;
  it.leaders_key = key_of("another job");
  it.open_door(listener);
  it.dial(listener.port());
  it.run_until_waiting();
  REQUIRE(it.waited.size() == 1);
  CHECK(it.waited[0].starts_with(
      "the leader 127.0.0.1 turns this host away: algo-2 does not know this job's key"));
  CHECK(it.refused == Told{});
  it.door.reset();
  it.leaders_key = it.key;
  it.open_door(listener);
  it.run_until_joined();
}

TEST_CASE("a leader that cannot prove that it knows the key is not joined") {
  Fixture it;
  OddLeader leader(it.loop, [](Connection& connection) {
    connection.send(message::Challenge{.nonce = random_nonce()});
    connection.send(message::Welcome{std::string(32, 'x')});
  });
  it.dial(leader.listener.port());
  it.run_until_waiting();
  CHECK(it.joined_at == Told{});
  CHECK(it.waited == Told{fmt::format("what answers at 127.0.0.1 port {} does not belong to this "
                                      "job",
                                      leader.listener.port())});
}

TEST_CASE("who welcomes without a challenge is not joined") {
  Fixture it;
  OddLeader leader(it.loop, [](Connection& connection) {
    connection.send(message::Welcome{std::string(32, 'x')});
  });
  it.dial(leader.listener.port());
  it.run_until_waiting();
  CHECK(it.joined_at == Told{});
}

TEST_CASE("what is no trainit at the leader's port is told of") {
  Fixture it;
  OddLeader leader(it.loop, [](Connection& connection) {
    connection.send(message::Waiting{std::string(8192, 'x')});
  });
  it.dial(leader.listener.port());
  it.run_until_waiting();
  REQUIRE(it.waited.size() == 1);
  CHECK(it.waited[0].starts_with("the leader 127.0.0.1 sent what makes no sense: "));
}

TEST_CASE("who greets with a nonce that is none is told of as no trainit, and why") {
  Fixture it;
  OddLeader leader(
      it.loop, [](Connection& connection) { connection.send(message::Challenge{.nonce = "odd"}); });
  it.dial(leader.listener.port());
  it.run_until_waiting();
  CHECK(it.waited == Told{fmt::format("what answers at 127.0.0.1 port {} is no trainit: it sent a "
                                      "nonce of 3 bytes, not 16",
                                      leader.listener.port())});
}

TEST_CASE("a leader that does not know yet who may come in is dialled again") {
  const sys::Listener listener = testing::listen_here();
  Fixture it;
  it.open_door(listener, {}, false);
  it.dial(listener.port());
  it.run_until_waiting();
  CHECK(it.waited == Told{"the leader 127.0.0.1 ended its connection without a word"});
  it.door.reset();
  it.open_door(listener);
  it.run_until_joined();
}

TEST_CASE("a refusal that is final ends it, and nothing is tried again") {
  Fixture it;
  OddLeader leader(it.loop, [&it](Connection& connection) {
    connection.send(message::Refusal{"the job has begun already", true});
    // As the door does, a moment later.
    it.loop.after(10ms, [&connection] { connection.hang_up(); });
  });
  it.dial(leader.listener.port(), "127.0.0.1", {.shake_hands = 100ms});
  run_until(it.loop, [&] { return !it.refused.empty() || !it.waited.empty(); });
  it.run_for(1200ms);  // another try would have come by now
  CHECK(it.refused == Told{"the job has begun already"});
  CHECK(it.waited == Told{});
  CHECK(leader.connections.size() == 1);
}

TEST_CASE("a connection that was lost after it was joined is made anew") {
  const sys::Listener listener = testing::listen_here();
  Fixture it;
  it.open_door(listener);
  it.dial(listener.port());
  it.run_until_joined();
  it.connection.reset();
  it.let_in = -1;
  it.dialer->dial_again();
  run_until(it.loop, [&] { return it.joined_at.size() == 2 && it.let_in == 1; });
  CHECK(it.waited == Told{});
}

TEST_CASE("a dialer that goes calls nobody any more, whatever it was doing") {
  Fixture it;
  OddLeader leader(it.loop, [](Connection&) {});
  SUBCASE("it looks up a name") {}
  SUBCASE("it waits for the leader's first word") {
    it.dial(leader.listener.port(), "127.0.0.1", {.shake_hands = 100ms});
    run_until(it.loop, [&] { return leader.connections.size() == 1; });
  }
  if (!it.dialer) it.dial(leader.listener.port());
  it.dialer.reset();
  it.run_for(200ms);
  CHECK(it.waited == Told{});
  CHECK(it.joined_at == Told{});
}
