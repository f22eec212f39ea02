#include "supervise/store_process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "store/wire.h"
#include "sys/files.h"
#include "sys/process_tree.h"

using namespace trainit;
using namespace trainit::supervise;
using namespace std::chrono_literals;
using store::Operation;
using store::RequestWriter;
using Texts = std::vector<std::string>;

namespace {

const sys::Address kIpv4 = *sys::Address::parse("127.0.0.1");
const sys::Address kIpv6 = *sys::Address::parse("::1");

std::string number(std::int64_t value) {
  std::string bytes;
  store::write_number(value, bytes);
  return bytes;
}
std::string text(std::string_view value) {
  std::string bytes;
  store::write_text(value, bytes);
  return bytes;
}
std::string hello(std::uint32_t pid) {
  return RequestWriter(Operation::kValidate).word(store::kMagic).bytes() +
         RequestWriter(Operation::kPing).word(pid).bytes();
}
std::string get(std::string_view key) { return RequestWriter(Operation::kGet).text(key).bytes(); }
std::string set(std::string_view key, std::string_view value) {
  return RequestWriter(Operation::kSet).text(key).text(value).bytes();
}
const std::string kJoin = RequestWriter(Operation::kAdd).text("init/").number(1).bytes();

/// A connection to the store, by blocking calls with a deadline.
class Client {
 public:
  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    socklen_t size = 0;
    const sockaddr_storage to = kIpv4.socket_address(port, size);
    REQUIRE(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), size) == 0);
  }

  Client& say(std::string_view bytes) {
    REQUIRE(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
    return *this;
  }
  /// As many bytes; fewer where the connection ends.
  std::string hear(std::size_t size) {
    std::string heard;
    while (heard.size() < size) {
      pollfd ready{socket_.get(), POLLIN, 0};
      REQUIRE(::poll(&ready, 1, 20'000) == 1);
      char bytes[256];
      const ssize_t count =
          ::recv(socket_.get(), bytes, std::min(sizeof bytes, size - heard.size()), 0);
      if (count <= 0) break;
      heard.append(bytes, static_cast<std::size_t>(count));
    }
    return heard;
  }
  bool is_closed() { return hear(1).empty(); }

 private:
  sys::UniqueFd socket_;
};

/// The store's process, and what it tells.
class Host {
 public:
  explicit Host(std::vector<sys::AddressRange> allowed = sys::AddressRange::loopback())
      : store({listener, 2, std::move(allowed)}) {}
  ~Host() {
    if (store.pid() > 0) end();
  }

  void start() {
    const auto started = store.start(
        loop, {.joined =
                   [this](const auto& from, pid_t pid) {
                     joined.push_back(pid);
                     places.push_back(from ? from->text() : "here");
                   },
               .joined_nameless = [this](int at_once) { nameless.push_back(at_once); },
               .complain = [this](std::string_view what) { complaints.emplace_back(what); }});
    REQUIRE(started.has_value());
  }
  /// What became of its process, which is reaped.
  sys::ExitStatus reap() {
    int status = 0;
    REQUIRE(::waitpid(store.pid(), &status, 0) == store.pid());
    store.forget();
    return WIFEXITED(status) ? sys::ExitStatus::exited(WEXITSTATUS(status))
                             : sys::ExitStatus::killed(WTERMSIG(status));
  }
  sys::ExitStatus end() {
    store.end();
    return reap();
  }
  void run_until(const std::function<bool()>& holds) {
    const auto end = sys::Clock::now() + 20s;
    while (!holds()) {
      REQUIRE(sys::Clock::now() < end);
      const auto tick = loop.after(2ms, [] {});
      loop.run_once();
      loop.cancel(tick);
    }
  }
  int port() const { return listener.port(); }

  sys::EventLoop loop = std::move(*sys::EventLoop::create());
  sys::Listener listener = std::move(*sys::Listener::open({kIpv4, kIpv6}, 0));
  std::vector<pid_t> joined;
  Texts places;  ///< from where these have joined
  std::vector<int> nameless;
  Texts complaints;
  StoreProcess store;
};

/// What the descriptors of a process are, by number.
Texts descriptors_of(pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid) + "/fd/";
  std::vector<int> numbers;
  const Texts names = sys::list_directory(directory).value();
  for (const std::string& name : names) numbers.push_back(std::stoi(name));
  std::sort(numbers.begin(), numbers.end());
  Texts targets;
  for (const int fd : numbers) {
    char target[PATH_MAX] = {};
    REQUIRE(::readlink((directory + std::to_string(fd)).c_str(), target, sizeof target - 1) > 0);
    const std::string_view what = target;
    targets.emplace_back(what.substr(0, what.find(":[")));
  }
  return targets;
}

/// The end of the pipe by which the store's process tells us, once it has closed all others.
sys::UniqueFd reports_of(pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid) + "/fd/";
  const Texts names = sys::list_directory(directory).value();
  for (const std::string& name : names) {
    char target[PATH_MAX] = {};
    if (::readlink((directory + name).c_str(), target, sizeof target - 1) < 0) continue;
    if (!std::string_view(target).starts_with("pipe:")) continue;
    return sys::UniqueFd(::open((directory + name).c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK));
  }
  return {};
}

}  // namespace

TEST_CASE("the store serves in a child of ours until it is ended") {
  Host host;
  CHECK(host.store.pid() == -1);
  host.start();
  const pid_t pid = host.store.pid();
  REQUIRE(pid > 0);
  CHECK(sys::parent_of(pid) == ::getpid());
  Client client(host.port());
  CHECK(client.say(hello(7) + set("/k", "v") + get("/k")).hear(13).substr(4) == text("v"));
  CHECK(::getpgid(pid) == pid);
  CHECK(sys::read_line("/proc/" + std::to_string(pid) + "/comm") == "trainit-store");
  CHECK(host.end() == sys::ExitStatus::killed(SIGKILL));
  CHECK(host.store.pid() == -1);
  CHECK(client.is_closed());
  host.store.end();  // of nobody
}

TEST_CASE("the next round is at the same port, without keys, and serves whoever came in between") {
  Host host;
  host.start();
  const int port = host.port();
  CHECK(Client(port).say(hello(7) + set("/k", "old") + get("/k")).hear(15).substr(4) ==
        text("old"));
  host.end();
  Client between(port);
  between.say(hello(8) + get("/k"));
  host.start();
  CHECK(between.hear(12).substr(4) == text(""));
  CHECK(host.port() == port);
  CHECK(Client(port).say(hello(9) + kJoin).hear(12).substr(4) == number(1));
  host.run_until([&] { return !host.joined.empty(); });
  CHECK(host.joined == std::vector<pid_t>{9});
}

TEST_CASE("joins and complaints come from the store's process") {
  Host host({*sys::AddressRange::parse("127.0.0.1")});
  host.start();
  Client first(host.port()), second(host.port()), stranger(host.port());
  first.say(hello(4660) + kJoin).hear(12);
  // Torch 2.1 does not tell its pid.
  second.say("\x03" + kJoin.substr(1)).hear(8);
  stranger.say("GET / HTTP/1.1\r\n\r\n");
  CHECK(stranger.is_closed());
  host.run_until([&] { return !host.nameless.empty() && !host.complaints.empty(); });
  CHECK(host.joined == std::vector<pid_t>{4660});
  CHECK(host.places == Texts{"here"});
  CHECK(host.nameless == std::vector<int>{1});
  CHECK(host.complaints ==
        Texts{"the rendezvous store closed a connection from this machine: what it "
              "sends is not PyTorch's store protocol"});
}

TEST_CASE("one who does not tell who it is and comes again is not told as another") {
  Host host;
  host.start();
  const std::string join = "\x03" + kJoin.substr(1);
  for (int round = 0; round < 3; ++round) {
    Client passer(host.port());
    passer.say(join).hear(8);
  }
  Client one(host.port()), two(host.port());
  one.say(join).hear(8);
  two.say(join).hear(8);
  host.end();
  CHECK(host.nameless == std::vector<int>{1, 2});
}

TEST_CASE(
    "a store's process whose reports make no sense is not listened to, and that is said once") {
  Host host;
  host.start();
  Client(host.port()).say(hello(7)).hear(4);
  const sys::UniqueFd reports = reports_of(host.store.pid());
  REQUIRE(reports);
  const auto say = [&](const std::string& bytes) {
    return ::write(reports.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  };
  const std::string longest = "complaint " + std::string(PIPE_BUF - 11, 'x') + "\n";
  REQUIRE(say(longest));
  host.run_until([&] { return !host.complaints.empty(); });
  CHECK(host.complaints[0].size() == PIPE_BUF - 11);
  host.complaints.clear();

  SUBCASE("a line without an end") { REQUIRE(say(std::string(PIPE_BUF + 1, 'x'))); }
  SUBCASE("a line that is too long") { REQUIRE(say(std::string(PIPE_BUF + 1, 'x') + "\n")); }
  host.run_until([&] { return !host.complaints.empty(); });
  pollfd nobody{reports.get(), 0, 0};
  CHECK(::poll(&nobody, 1, 0) == 1);
  CHECK((nobody.revents & POLLERR) != 0);
  CHECK(host.complaints == Texts{"the rendezvous store's process reports what makes no sense, and "
                                 "is not listened to any more"});
  CHECK(host.joined.empty());
  // It still serves, and the next one is heard.
  CHECK(Client(host.port()).say(hello(8)).hear(4).size() == 4);
  host.end();
  host.start();
  Client client(host.port());
  client.say(hello(9) + kJoin).hear(12);
  host.run_until([&] { return !host.joined.empty(); });
  CHECK(host.joined == std::vector<pid_t>{9});
}

TEST_CASE("processes of several machines are told apart, and what is none is not told") {
  Host host;
  host.start();
  Client(host.port()).say(hello(7)).hear(4);
  const sys::UniqueFd reports = reports_of(host.store.pid());
  REQUIRE(reports);
  const std::string lines =
      "joined 32 10.0.0.7\njoined 32 here\njoined 32 fd00::7\njoined 33\njoined 33 nowhere\n"
      "joined x here\njoined 4294967295 here\njoined 9 here\n";
  REQUIRE(::write(reports.get(), lines.data(), lines.size()) == static_cast<ssize_t>(lines.size()));
  host.run_until([&] { return host.joined.size() == 4; });
  CHECK(host.joined == std::vector<pid_t>{32, 32, 32, 9});
  CHECK(host.places == Texts{"10.0.0.7", "here", "fd00::7", "here"});
}

TEST_CASE("what the store said before its end is heard after it") {
  Host host;
  host.start();
  Client(host.port()).say(hello(4660) + kJoin).hear(12);
  CHECK(host.joined.empty());
  host.end();
  CHECK(host.joined == std::vector<pid_t>{4660});
}

TEST_CASE("addresses that are not allowed are not served") {
  Host host({*sys::AddressRange::parse("10.0.0.0/8")});
  host.start();
  CHECK(Client(host.port()).is_closed());
  host.run_until([&] { return !host.complaints.empty(); });
  CHECK(host.complaints[0].find("does not serve 127.0.0.1") != std::string::npos);
}

TEST_CASE("a store that crashes ends its child alone, and the next one serves") {
  Host host;
  host.start();
  Client client(host.port());
  client.say(hello(7)).hear(4);
  ::kill(host.store.pid(), SIGABRT);
  CHECK(client.is_closed());
  CHECK(host.reap() == sys::ExitStatus::killed(SIGABRT));
  host.start();
  CHECK(Client(host.port()).say(hello(7)).hear(4).size() == 4);
}

TEST_CASE("the store's process holds its sockets, its loop and its reports, and nothing of ours") {
  Host host;
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const sys::UniqueFd reader(ends[0]);
  sys::UniqueFd writer(ends[1]);
  // Not close-on-exec, as what our caller left for the workers.
  const sys::UniqueFd far(::fcntl(writer.get(), F_DUPFD, 500));
  REQUIRE(far);
  host.start();
  Client client(host.port());
  client.say(hello(7)).hear(4);  // it is ready
  Texts descriptors = descriptors_of(host.store.pid());
  REQUIRE(descriptors.size() >= 3);
  for (std::size_t fd = 0; fd < 3; ++fd) CHECK(descriptors[fd] == "/dev/null");
  descriptors.erase(descriptors.begin(), descriptors.begin() + 3);
  std::sort(descriptors.begin(), descriptors.end());
  // Two that listen, and the client's.
  CHECK(descriptors == Texts{"anon_inode", "pipe", "socket", "socket", "socket"});
}

TEST_CASE("a pipe of ours ends when we close it, whatever the store's process does") {
  Host host;
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const sys::UniqueFd reader(ends[0]);
  sys::UniqueFd writer(ends[1]);
  host.start();
  Client(host.port()).say(hello(7)).hear(4);
  writer.reset();
  char byte;
  CHECK(::read(reader.get(), &byte, 1) == 0);
}

TEST_CASE("a store's process that is dropped is not listened to any more") {
  sys::EventLoop loop = std::move(*sys::EventLoop::create());
  const sys::Listener listener = std::move(*sys::Listener::open({kIpv4}, 0));
  pid_t pid = -1;
  {
    StoreProcess store({listener, 1, sys::AddressRange::loopback()});
    REQUIRE(store.start(loop, {.joined = [](const auto&, pid_t) { FAIL("heard"); },
                               .joined_nameless = {},
                               .complain = {}}));
    pid = store.pid();
    Client(listener.port()).say(hello(7) + kJoin).hear(12);
    store.end();
  }
  REQUIRE(::waitpid(pid, nullptr, 0) == pid);
  loop.after(1ms, [] {});
  loop.run_once();
}
