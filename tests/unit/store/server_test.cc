#include "store/server.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <utility>

#include "golden.h"
#include "sys/files.h"
#include "sys/inheritance.h"
#include "sys/process.h"

using namespace trainit;
using namespace trainit::store;
using namespace trainit::store::testing;
using namespace std::chrono_literals;

namespace {

using Texts = std::vector<std::string>;

const sys::Address kIpv4 = *sys::Address::parse("127.0.0.1");
const sys::Address kIpv6 = *sys::Address::parse("::1");

std::string number(std::int64_t value) {
  std::string bytes;
  write_number(value, bytes);
  return bytes;
}
std::string text(std::string_view value) {
  std::string bytes;
  write_text(value, bytes);
  return bytes;
}

const std::string kHello = RequestWriter(Operation::kValidate).word(kMagic).bytes();
const std::string kPing = RequestWriter(Operation::kPing).word(4660).bytes();
const std::string kPong = bytes_of("34 12 00 00");
const std::string kJoin = RequestWriter(Operation::kAdd).text("init/").number(1).bytes();
std::string set(std::string_view key, std::string_view value) {
  return RequestWriter(Operation::kSet).text(key).text(value).bytes();
}
std::string get(std::string_view key) { return RequestWriter(Operation::kGet).text(key).bytes(); }
std::string wait(std::string_view key) {
  return RequestWriter(Operation::kWait).number(1).text(key).bytes();
}
std::string older(std::string request) {
  --request[0];
  return request;
}

/// Listening sockets, an event loop, and what the server on them says.
class Host {
 public:
  explicit Host(std::vector<sys::AddressRange> allowed = sys::AddressRange::loopback(),
                int world_size = 0, sys::Duration looks = 1h)
      : look_every(looks), allowed_(std::move(allowed)), world_size_(world_size) {
    start();
  }

  void start() {
    server_.reset();
    ServerOptions options;
    options.world_size = world_size_;
    options.allowed = allowed_;
    options.joined = [this](std::string_view, std::uint32_t pid) { joined.push_back(pid); };
    options.joined_nameless = [this](int at_once) { nameless.push_back(at_once); };
    options.complain = [this](std::string_view sentence) { complaints.emplace_back(sentence); };
    options.look_every = look_every;
    server_ = std::move(*Server::start(loop, listener, std::move(options)));
  }
  void stop() { server_.reset(); }

  /// Fails the test when it does not come to hold within 20 s.
  void run_until(const std::function<bool()>& holds) {
    const auto end = sys::Clock::now() + 20s;
    while (!holds()) {
      REQUIRE(sys::Clock::now() < end);
      const auto tick = loop.after(2ms, [] {});
      loop.run_once();
      loop.cancel(tick);
    }
  }

  sys::EventLoop loop = std::move(*sys::EventLoop::create());
  sys::Listener listener = std::move(*sys::Listener::open({kIpv4, kIpv6}, 0));
  sys::Duration look_every;  ///< for who takes long
  Texts complaints;
  std::vector<std::uint32_t> joined;
  std::vector<int> nameless;

 private:
  std::vector<sys::AddressRange> allowed_;
  int world_size_;
  std::unique_ptr<Server> server_;
};

/// A client. Its socket is there before it connects, so that connecting takes no descriptor.
class Client {
 public:
  explicit Client(Host& host, const sys::Address& address = kIpv4)
      : host_(host),
        address_(address),
        socket_(::socket(address.is_ipv4() ? AF_INET : AF_INET6,
                         SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    REQUIRE(socket_);
  }

  Client& connect() {
    socklen_t size = 0;
    const sockaddr_storage to = address_.socket_address(host_.listener.port(), size);
    const int result = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), size);
    REQUIRE((result == 0 || errno == EINPROGRESS));
    return *this;
  }
  Client& hello() {
    connect().say(kHello + kPing);
    CHECK(hear(kPong.size()) == kPong);
    return *this;
  }

  /// How much of it the kernel took.
  std::size_t offer(std::string_view bytes) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }
  Client& say(std::string_view bytes) {
    host_.run_until([&] {
      bytes.remove_prefix(offer(bytes));
      return bytes.empty();
    });
    return *this;
  }
  /// Takes what is there; false: the connection has ended.
  bool listen(std::string& heard, std::size_t most = 1 << 20) {
    heard_.resize(most);
    const ssize_t size = ::recv(socket_.get(), heard_.data(), most, 0);
    if (size > 0) heard.append(heard_, 0, static_cast<std::size_t>(size));
    return size > 0 || (size < 0 && errno == EAGAIN);
  }
  std::string hear(std::size_t size) {
    std::string heard;
    host_.run_until([&] {
      if (heard.size() < size) REQUIRE(listen(heard, size - heard.size()));
      return heard.size() == size;
    });
    return heard;
  }
  /// Everything up to the end of the connection.
  std::string hear_all() {
    std::string heard;
    host_.run_until([&] { return !listen(heard); });
    return heard;
  }
  /// The server has nothing to say to it: what comes next is the answer to this.
  bool is_at_peace() { return say(kPing).hear(kPong.size()) == kPong; }
  /// Until what the others have sent has been read. Who has just come is accepted in one turn of
  /// the server and read in the next.
  void let_others_be_heard() {
    for (int turn = 0; turn < 3; ++turn) REQUIRE(is_at_peace());
  }

  void shut_down() { ::shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.reset(); }
  /// With a reset, as from a process that was killed with data unread.
  void break_off() {
    const linger none = {1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close();
  }

 private:
  Host& host_;
  sys::Address address_;
  sys::UniqueFd socket_;
  std::string heard_;
};

/// A server in a process of its own that can open so many descriptors more. (In this one the
/// sanitizers need some at any time.)
class FullServer {
 public:
  FullServer(Host& host, int more) {
    host.stop();
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    complaints_.reset(ends[0]);
    const sys::UniqueFd writer(ends[1]);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) serve(host, writer.get(), more);
  }
  FullServer(const FullServer&) = delete;
  FullServer& operator=(const FullServer&) = delete;
  ~FullServer() {
    send(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  void send(int signal) const { ::kill(pid_, signal); }
  /// It sleeps; one that is always busy never does.
  bool rests() const {
    const std::string stat = sys::read_line("/proc/" + std::to_string(pid_) + "/stat");
    return stat.find(") S ") != std::string::npos;
  }
  /// What it has said since the last call.
  std::string complaints() {
    char text[4096];
    const ssize_t size = ::read(complaints_.get(), text, sizeof text);
    return {text, size > 0 ? static_cast<std::size_t>(size) : 0};
  }

 private:
  [[noreturn]] static void serve(Host& host, int complaints, int more) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    sys::EventLoop loop = std::move(*sys::EventLoop::create());
    ServerOptions options;
    options.allowed = sys::AddressRange::loopback();
    options.joined = [](std::string_view, std::uint32_t) {};
    options.joined_nameless = [](int) {};
    options.complain = [complaints](std::string_view sentence) {
      const std::string line = std::string(sentence) + "\n";
      if (::write(complaints, line.data(), line.size()) < 0) ::_exit(1);
    };
    const auto server = std::move(*Server::start(loop, host.listener, std::move(options)));
    leave_descriptors(more);
    for (;;) loop.run_once();
  }
  /// New ones take the lowest numbers that are free.
  static void leave_descriptors(int more) {
    const std::vector<int> open = sys::open_descriptors();
    const int last = *std::max_element(open.begin(), open.end());
    int filler = 0;
    while (filler < last) filler = ::dup(0);
    ::close(filler);
    rlimit limit = {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = static_cast<rlim_t>(filler) + static_cast<rlim_t>(more);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }

  pid_t pid_ = -1;
  sys::UniqueFd complaints_;
};

}  // namespace

TEST_CASE("clients of IPv4 and of IPv6 share the keys") {
  Host host;
  Client a(host, kIpv4), b(host, kIpv6);
  a.hello();
  b.hello();
  a.say(set("/k", "v"));
  REQUIRE(a.is_at_peace());
  CHECK(b.say(get("/k")).hear(9) == text("v"));
}

TEST_CASE("a conversation gets PyTorch's own answers, in one segment or in many") {
  std::string requests, answers;
  for (const Exchange& exchange : kGolden) {
    requests += bytes_of(exchange.request);
    answers += bytes_of(exchange.answer);
  }
  for (const std::size_t size : {requests.size(), std::size_t{100}, std::size_t{1}}) {
    Host host;
    Client client(host);
    client.connect();
    for (std::string_view rest = requests; !rest.empty();) {
      client.say(rest.substr(0, size));
      rest.remove_prefix(std::min(size, rest.size()));
      host.loop.after(0ms, [] {});
      host.loop.run_once();
    }
    CHECK(client.hear(answers.size()) == answers);
    client.shut_down();
    CHECK(client.hear_all() == "");
    CHECK(host.complaints.empty());
  }
}

TEST_CASE("a hundred clients count together, and meet at a barrier") {
  Host host;
  std::vector<std::unique_ptr<Client>> clients;
  for (int index = 0; index < 100; ++index) {
    clients.push_back(std::make_unique<Client>(host, index % 2 == 0 ? kIpv4 : kIpv6));
    clients.back()->connect().say(kHello + kPing + kJoin);
  }
  std::vector<std::string> counts, expected;
  for (const auto& client : clients) counts.push_back(client->hear(12).substr(4));
  for (int index = 1; index <= 100; ++index) expected.push_back(number(index));
  std::sort(counts.begin(), counts.end());
  std::sort(expected.begin(), expected.end());
  CHECK(counts == expected);
  const std::string barrier = RequestWriter(Operation::kBarrier).text("/b").number(100).bytes();
  for (const auto& client : clients) client->say(barrier);
  for (const auto& client : clients) CHECK(client->hear(1) == std::string(1, kStopWaiting));
}

TEST_CASE("a client that waits is told when another has set the key") {
  Host host;
  Client a(host), b(host);
  a.hello().say(wait("/k"));
  b.hello().say(set("/k", "v"));
  CHECK(a.hear(1) == std::string(1, kStopWaiting));
  CHECK(a.is_at_peace());
  CHECK(b.is_at_peace());
}

TEST_CASE("who joins is told, by its pid where it tells that") {
  Host host;
  Client a(host, kIpv4), b(host, kIpv6);
  a.hello().say(kJoin).hear(8);
  b.connect().say(older(kJoin)).hear(8);
  CHECK(host.joined == std::vector<std::uint32_t>{4660});
  CHECK(host.nameless == std::vector<int>{1});
}

TEST_CASE("a process that joins again finds no keys, as soon as its connection is closed") {
  Host host(sys::AddressRange::loopback(), 1);
  for (int round = 0; round < 10; ++round) {
    Client client(host);
    client.hello().say(kJoin + get("/k") + set("/k", "old"));
    CHECK(client.hear(16) == number(1) + text(""));
    REQUIRE(client.is_at_peace());
  }
}

TEST_CASE("who comes after a client that waited is not told what that one waited for") {
  Host host;
  Client other(host), gone(host), next(host);
  other.hello();
  gone.hello().say(wait("/k"));
  other.let_others_be_heard();
  SUBCASE("and was closed") { gone.close(); }
  SUBCASE("and was broken off") { gone.break_off(); }
  SUBCASE("and was refused") {
    gone.say("\xFF");
    CHECK(gone.hear_all() == "");
  }
  other.let_others_be_heard();
  next.hello();  // on the server's side it has the same descriptor
  CHECK(other.say(set("/k", "v")).is_at_peace());
  CHECK(next.is_at_peace());
}

TEST_CASE("what was sent before a half-close is done and answered before the close") {
  Host host;
  Client client(host), other(host);
  client.connect().say(kHello + set("/k", "v") + get("/k") + kPing).shut_down();
  CHECK(client.hear_all() == text("v") + kPong);
  CHECK(other.hello().say(get("/k")).hear(9) == text("v"));
  CHECK(host.complaints.empty());
}

TEST_CASE("a half-close does not take away what was not read yet") {
  const std::string big(700'000, 'v');
  Host host;
  Client other(host);
  REQUIRE(other.hello().say(set("/big", big)).is_at_peace());
  // One answer after the other, so that one of them is the first for which the kernel has no room.
  for (std::size_t answers = 1; answers <= 12; ++answers) {
    CAPTURE(answers);
    Client client(host);
    client.hello();
    for (std::size_t index = 0; index < answers; ++index) {
      client.say(get("/big"));
      REQUIRE(other.is_at_peace());
    }
    client.shut_down();
    for (int round = 0; round < 3; ++round) REQUIRE(other.is_at_peace());
    CHECK(client.hear_all().size() == answers * text(big).size());
  }
  CHECK(host.complaints.empty());
}

TEST_CASE("a client that is gone with answers on their way does no harm") {
  Host host;
  Client client(host), other(host);
  REQUIRE(other.hello().say(set("/big", std::string(700'000, 'v'))).is_at_peace());
  std::string requests;
  for (int index = 0; index < 20; ++index) requests += get("/big");
  client.hello().say(requests).close();
  for (int round = 0; round < 5; ++round) CHECK(other.is_at_peace());
}

TEST_CASE("a client that is gone when it is woken does no harm") {
  Host host;
  Client gone(host), other(host);
  other.hello();
  gone.hello().say(wait("/k"));
  other.let_others_be_heard();
  // The server hears of both at once, and first of the key.
  other.say(set("/k", "v"));
  SUBCASE("and broken off") { gone.break_off(); }
  SUBCASE("and closed behind another request") { gone.say(kPing).close(); }
  CHECK(other.is_at_peace());
}

TEST_CASE("what a client asks for is done as it reads, and no sooner") {
  Host host;
  Client client(host), other(host);
  const std::string big(700'000, 'v');
  REQUIRE(other.hello().say(set("/k", big)).is_at_peace());
  std::string requests;
  for (int index = 0; index < 100; ++index) requests += get("/k");
  client.hello().say(requests);
  REQUIRE(other.is_at_peace());
  REQUIRE(other.say(set("/k", "small")).is_at_peace());
  client.shut_down();
  const std::string heard = client.hear_all();
  CHECK(heard.starts_with(text(big)));
  CHECK(heard.ends_with(text("small") + text("small")));
}

TEST_CASE("a client that does not read is not listened to, and the others are") {
  constexpr std::size_t kMost = 64 << 20, kSize = 8000;
  Host host;
  Client slow(host), other(host);
  slow.hello();
  other.hello();
  const std::string key(kSize, 'k'), value(kSize, 'v');
  slow.say(set(key, value));
  const std::string request = get(key);
  std::size_t sent = 0, idle = 0;
  const auto offer = [&] {
    const std::size_t taken = slow.offer(std::string_view(request).substr(sent % request.size()));
    sent += taken;
    return taken > 0;
  };
  for (; idle < 50 && sent < kMost; ++idle) {
    while (offer()) idle = 0;
    REQUIRE(other.is_at_peace());
  }
  // Less than its own buffers and the kernel's hold: what it sends piles up at its own end.
  CHECK(sent < kMost);

  std::size_t missing = (sent + request.size() - 1) / request.size() * text(value).size();
  std::string heard;
  host.run_until([&] {
    if (sent % request.size() != 0) offer();
    heard.clear();
    REQUIRE(slow.listen(heard));
    missing -= heard.size();
    return missing == 0 && sent % request.size() == 0;
  });
  CHECK(heard.ends_with("vvv"));
  CHECK(slow.is_at_peace());
}

TEST_CASE("strangers are closed, and of each kind of them one is told") {
  Host host;
  Client other(host);
  other.hello().say(set("/text", "v"));
  const std::string add = RequestWriter(Operation::kAdd).text("/text").number(1).bytes();
  const auto refused = [&](const std::string& bytes) {
    for (const sys::Address& address : {kIpv4, kIpv6, kIpv4}) {
      Client stranger(host, address);
      CHECK(stranger.connect().say(bytes).hear_all() == "");
    }
    return std::exchange(host.complaints, {});
  };
  CHECK(refused("GET / HTTP/1.1\r\n\r\n") ==
        Texts{"the rendezvous store closed a connection from this machine: what it sends is not "
              "PyTorch's store protocol"});
  CHECK(
      refused(kHello + "\x03" + number(8193)) ==
      Texts{
          "the rendezvous store closed a connection from this machine: it sends a length over the "
          "protocol's limits (8 KiB for a key, 8 MiB for a value, 131,072 keys, 256 MiB for a "
          "whole "
          "request)"});
  CHECK(
      refused(kHello + add) ==
      Texts{
          "the rendezvous store closed a connection from this machine: it adds to a value that is "
          "no number, or comes to more than 64 bits"});
  RequestWriter too_much(Operation::kMultiGet);
  too_much.number(33);
  for (int index = 0; index < 33; ++index) too_much.text("/big");
  other.say(set("/big", std::string(8 << 20, 'v')));
  CHECK(other.is_at_peace());
  CHECK(
      refused(kHello + too_much.bytes()) ==
      Texts{"the rendezvous store closed a connection from this machine: it asks for more than 256 "
            "MiB of values in one request"});
  CHECK(refused("SSH-2.0-OpenSSH_9.2\r\n").empty());
  CHECK(other.is_at_peace());
}

TEST_CASE("a client that is lost in the middle of a request is told once, and changes nothing") {
  Host host;
  Client other(host);
  other.hello();
  for (int round = 0; round < 2; ++round) {
    Client half(host);
    half.hello().say(set("/k", "value").substr(0, 20));
    other.let_others_be_heard();
    half.close();
    other.let_others_be_heard();
  }
  CHECK(host.complaints == Texts{"the rendezvous store lost a client in the middle of a request, "
                                 "which is not applied"});
  CHECK(other.say(get("/k")).hear(8) == text(""));
}

TEST_CASE("one that stops in the middle of a request stops nobody else") {
  Host host;
  Client half(host), silent(host), other(host);
  silent.connect();
  half.hello().say(set("/k", std::string(1 << 20, 'v')).substr(0, 500'000));
  other.hello();
  CHECK(other.is_at_peace());
  half.say(set("/k", std::string(1 << 20, 'v')).substr(500'000));
  CHECK(half.is_at_peace());
  CHECK(other.say(get("/k")).hear(8 + (1 << 20)).ends_with("v"));
}

TEST_CASE(
    "one who does not end a request that it has begun is told once, and served all the same") {
  Host host(sys::AddressRange::loopback(), 0, 30ms);
  Client slow(host), slow_too(host), other(host), silent(host);
  silent.connect();
  const std::string request = set("/k", "value");
  slow.hello().say(request.substr(0, 20));
  slow_too.hello().say(request.substr(0, 20));
  host.run_until([&] { return !host.complaints.empty(); });
  for (Client* client : {&slow, &slow_too}) {
    client->say(request.substr(20));
    CHECK(client->is_at_peace());
  }
  CHECK(host.complaints == Texts{"the rendezvous store waits for the rest of a request that a "
                                 "client on this machine has begun long ago, and serves the "
                                 "others meanwhile"});
  CHECK(other.hello().say(get("/k")).hear(8 + 5) == text("value"));
}

TEST_CASE("one who sends much is not told of, however long that takes") {
  Host host(sys::AddressRange::loopback(), 0, 10ms);
  Client large(host), other(host);
  large.hello().say(set("/k", std::string(1 << 20, 'v')).substr(0, 100'000));
  other.hello();
  for (const auto end = sys::Clock::now() + 100ms; sys::Clock::now() < end;)
    CHECK(other.is_at_peace());
  CHECK(host.complaints == Texts{});
}

TEST_CASE("one who ends each request and has always begun another is not told of") {
  constexpr auto kLooks = 500ms;  // no machine is so busy
  Host host(sys::AddressRange::loopback(), 0, kLooks);
  Client busy(host);
  const std::string request = set("/k", "value");
  busy.hello().say(request.substr(0, 10));
  for (const auto end = sys::Clock::now() + 2 * kLooks + kLooks / 2; sys::Clock::now() < end;) {
    busy.say(request.substr(10) + request.substr(0, 10));
    const auto tick = host.loop.after(5ms, [] {});
    host.loop.run_once();
    host.loop.cancel(tick);
  }
  CHECK(host.complaints == Texts{});
}

TEST_CASE("who has left without a word is told of when that was often, unless older clients do") {
  Host host;
  Client other(host);
  std::string said =
      "the rendezvous store was connected to 64 times by somebody who left without "
      "a word, as a port scan does: the last time from this machine";
  other.hello();
  SUBCASE("there are current ones") {}
  SUBCASE("there is one whose second connection is silent") {
    said.clear();
    Client(host).connect().say(older(get("/k"))).hear(8);
  }
  for (int round = 0; round < 130; ++round) {
    if (round == 63) CHECK(host.complaints == Texts{});
    Client scanner(host);
    scanner.connect();
    other.let_others_be_heard();
    if (round % 2 == 0) scanner.break_off();
    if (round % 2 == 1) scanner.close();
    other.let_others_be_heard();
  }
  CHECK(host.complaints == (said.empty() ? Texts{} : Texts{said}));
}

TEST_CASE("a crowd that says nothing is told of once, unless older clients may be in it") {
  sys::raise_open_files();
  Host host(sys::AddressRange::loopback(), 0, 30ms);
  Client other(host);
  other.hello();
  std::deque<Client> crowd;
  for (int count = 0; count < 1000; ++count) crowd.emplace_back(host).connect();
  bool told = true;
  SUBCASE("there are current ones") {}
  SUBCASE("there is one whose second connection is silent") {
    told = false;
    Client(host).connect().say(older(get("/k"))).hear(8);
  }
  const auto wait = [&](int looks) {  // each begins when the one before is seen to be over
    for (int look = 0; look < looks; ++look) {
      bool over = false;
      host.loop.after(30ms, [&] { over = true; });
      while (!over) CHECK(other.is_at_peace());
    }
  };
  wait(4);
  CHECK(host.complaints == Texts{});
  crowd.emplace_back(host).connect();
  wait(4);
  CHECK(host.complaints == (told ? Texts{"the rendezvous store has more than 1000 connections that "
                                         "say nothing: they are kept as long as there is room"}
                                 : Texts{}));
}

TEST_CASE("whoever is at no host of the job is closed at once, and one of them is told") {
  Host host({*sys::AddressRange::parse("10.0.0.0/8"), *sys::AddressRange::parse("::1")});
  for (int round = 0; round < 2; ++round) {
    Client foreign(host, kIpv4);
    CHECK(foreign.connect().hear_all() == "");
  }
  CHECK(host.complaints == Texts{"the rendezvous store does not serve 127.0.0.1, which is no host "
                                 "of this job (--store-allow lets others in)"});
  Client own(host, kIpv6);
  own.hello();
}

TEST_CASE(
    "where no descriptor is left, the oldest that has said nothing gives way to a new client") {
  Host host;
  FullServer server(host, 3);
  Client talker(host), silent(host), silent_too(host), late(host), later(host), last(host);
  talker.hello();
  silent.connect();
  silent_too.connect();
  CHECK(talker.is_at_peace());
  CHECK(server.complaints() == "");  // all are served, and nobody else has come
  std::string heard;
  CHECK(silent.listen(heard));

  late.hello();
  CHECK(silent.hear_all() == "");
  CHECK(silent_too.listen(heard));
  later.hello();
  CHECK(silent_too.hear_all() == "");
  CHECK(server.complaints() ==
        "the rendezvous store has no descriptor left for more connections (Too many open files "
        "(EMFILE)): it closes those that have said nothing\n");
  CHECK(talker.is_at_peace());
  CHECK(late.is_at_peace());

  // Now all have said something.
  last.connect().say(kHello + kPing);
  for (int round = 0; round < 5; ++round) CHECK(talker.is_at_peace());
  CHECK(last.listen(heard));
  CHECK(heard == "");
  host.run_until([&] { return server.rests(); });
  late.close();
  CHECK(last.hear(kPong.size()) == kPong);
}

TEST_CASE("one that has spoken is heard before it would give way to the next") {
  Host host;
  FullServer server(host, 1);
  Client early(host), late(host);
  // The server hears of both at once, and can have one of them.
  server.send(SIGSTOP);
  early.connect().say(kHello + kPing);
  late.connect().say(kHello + kPing);
  server.send(SIGCONT);
  CHECK(early.hear(kPong.size()) == kPong);
  CHECK(early.is_at_peace());
  CHECK(server.complaints() ==
        "the rendezvous store has no descriptor left for more connections (Too many open files "
        "(EMFILE)): whoever comes waits until somebody leaves\n");
  early.close();
  CHECK(late.hear(kPong.size()) == kPong);
}

TEST_CASE("a removal before torch 2.1 is answered although it could go on") {
  Host host;
  Client client(host);
  client.connect().say(older(set("/k", "v")));
  CHECK(client.say(RequestWriter(Operation::kDeleteKey).text("/k").bytes()).hear(8) == number(1));
  CHECK(client.say(older(get("/k"))).hear(8) == text(""));
}

TEST_CASE("an append of torch 2.1 may come in two segments") {
  Host host;
  Client client(host), other(host);
  other.hello();
  const std::string append = older(RequestWriter(Operation::kAppend).text("/k").text("v").bytes());
  client.connect().say(append.substr(0, 11));
  other.let_others_be_heard();
  CHECK(client.say(append.substr(11) + older(get("/k"))).hear(9) == text("v"));
}

TEST_CASE("a client or a server that ends while something is undecided is not missed") {
  const std::string request = RequestWriter(Operation::kDeleteKey).text("/k").bytes();
  Host host;
  Client other(host), client(host), next(host), last(host);
  other.hello();
  client.connect().say(request);
  other.let_others_be_heard();
  client.close();
  other.let_others_be_heard();
  const auto let_it_be_decided = [&] {
    const auto end = sys::Clock::now() + 150ms;
    host.run_until([&] { return sys::Clock::now() > end; });
  };
  SUBCASE("and nobody came after it") { let_it_be_decided(); }
  SUBCASE("and another has the same descriptor on the server's side") {
    next.hello();
    let_it_be_decided();
    CHECK(next.is_at_peace());
  }
  last.connect().say(request);
  other.let_others_be_heard();
  host.stop();
  let_it_be_decided();
}

TEST_CASE("a new round on the same sockets has no keys, and serves whoever came in between") {
  Host host;
  Client before(host), between(host);
  before.hello().say(set("/k", "v"));
  REQUIRE(before.is_at_peace());
  host.stop();
  CHECK(before.hear_all() == "");
  between.connect().say(kHello + get("/k"));
  host.start();
  CHECK(between.hear(8) == text(""));
}
