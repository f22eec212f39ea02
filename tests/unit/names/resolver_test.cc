#include "names/resolver.h"

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/text.h"
#include "names/dns_server.h"
#include "sys/files.h"
#include "temporary_directory.h"

using namespace trainit;
using namespace trainit::sys;
using names::Resolver;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// Far more than anything here takes that is not to end by its timeout.
constexpr Duration kLong = seconds(60);

/// A host with DNS, and what it found.
struct Host {
  EventLoop loop = *EventLoop::create();
  DnsServer dns{loop};
  TemporaryDirectory directory;
  names::Servers servers{directory.write("resolv.conf", "nameserver 127.0.0.1\n"), dns.port()};
  std::unique_ptr<Resolver> resolver = std::make_unique<Resolver>(loop, servers);
  std::map<std::string, std::string> found;  ///< "10.0.0.1 fd00::1" of each name, or the error

  void look_up(const std::string& name, Duration timeout = kLong) {
    resolver->look_up(name, timeout, [this, name](const names::Answer& answer) {
      CHECK(found.count(name) == 0);
      found[name] = text(answer);
    });
  }

  std::string look_up_and_wait(const std::string& name, Duration timeout = kLong) {
    found.erase(name);
    look_up(name, timeout);
    wait_for(found.size() + 1);
    return found.at(name);
  }

  void wait_for(std::size_t count) {
    while (found.size() < count) loop.run_once();
  }

  void run_for(Duration duration) {
    bool over = false;
    loop.after(duration, [&] { over = true; });
    while (!over) loop.run_once();
  }

  static std::string text(const names::Answer& answer) {
    if (!answer) return answer.error().message;
    std::vector<std::string> texts;
    for (const Address& address : *answer) texts.push_back(address.text());
    return join(texts, " ");
  }
};

}  // namespace

TEST_CASE("a literal address is its own answer, without a server and a file") {
  Host host;
  host.resolver = std::make_unique<Resolver>(host.loop, names::Servers{host.directory / "missing"});
  CHECK(host.look_up_and_wait("10.1.2.3") == "10.1.2.3");
  CHECK(host.look_up_and_wait("fd00::7") == "fd00::7");
  CHECK(host.look_up_and_wait("localhost") == "127.0.0.1");
  CHECK(host.dns.asked.empty());
}

TEST_CASE("a name has its addresses of both kinds, those of IPv4 first and each once") {
  Host host;
  host.dns.names["algo-1.example"] = {
      {"fd00::1", "10.0.0.1", "10.0.0.1", "10.0.0.2", "::ffff:10.0.0.2"}};
  CHECK(host.look_up_and_wait("algo-1.example") == "10.0.0.1 10.0.0.2 fd00::1");
}

TEST_CASE("a name with addresses of IPv6 only is found") {
  Host host;
  host.dns.names["algo-1.example"] = {{"fd00::1"}};
  CHECK(host.look_up_and_wait("algo-1.example") == "fd00::1");
}

TEST_CASE("no one is called from within the look-up") {
  Host host;
  for (const std::string name : {"10.0.0.1", "localhost", "", "algo-1.example"}) host.look_up(name);
  CHECK(host.found.empty());
  host.wait_for(4);
}

TEST_CASE("it is said why a name has no address") {
  Host host;
  host.dns.names["empty.example"] = {{}};
  host.dns.names["failing.example"] = {{}, DnsServer::kServerFailed};
  host.dns.names["refused.example"] = {{}, DnsServer::kRefused};
  CHECK(host.look_up_and_wait("missing.example") == "no such name");
  CHECK(host.look_up_and_wait("empty.example") == "the name has no address");
  CHECK(host.look_up_and_wait("failing.example") == "no DNS server could answer: 127.0.0.1");
  CHECK(host.look_up_and_wait("refused.example") == "no DNS server could answer: 127.0.0.1");
}

TEST_CASE("what can be no name is an error, whatever it is") {
  Host host;
  const std::string no_name = "no host has such a name";
  CHECK(host.look_up_and_wait("") == no_name);
  CHECK(host.look_up_and_wait(std::string("algo-1\0.example", 15)) == no_name);
  CHECK(host.look_up_and_wait("algo..example") == no_name);
  CHECK(host.look_up_and_wait(std::string(70, 'a') + ".example") == no_name);
  for (const std::string& odd :
       {std::string("."), std::string(".."), std::string(5000, 'a'), std::string("a b"),
        std::string("\xff\xfe"), std::string("fe80::1%eth0"), std::string("\\")})
    CHECK_FALSE(host.look_up_and_wait(odd).empty());
}

TEST_CASE(
    "a server that never answers is named when the time is over, not before and not long after") {
  Host host;
  host.dns.names["algo-1.example"] = {
      .addresses = {}, .answers_ipv4 = false, .answers_ipv6 = false};
  const TimePoint began = Clock::now();
  CHECK(host.look_up_and_wait("algo-1.example", milliseconds(300)) ==
        "no DNS server could answer: 127.0.0.1");
  CHECK(Clock::now() - began >= milliseconds(300));
  CHECK(Clock::now() - began < seconds(10));
}

TEST_CASE(
    "addresses of one kind are taken when no answer comes for the other until the time is over") {
  Host host;
  host.dns.names["algo-1.example"] = {.addresses = {"10.0.0.1", "fd00::1"}, .answers_ipv6 = false};
  host.dns.names["algo-2.example"] = {.addresses = {"10.0.0.2", "fd00::2"}, .answers_ipv4 = false};
  host.look_up("algo-1.example", milliseconds(300));
  host.look_up("algo-2.example", milliseconds(300));
  host.wait_for(2);
  CHECK(host.found.at("algo-1.example") == "10.0.0.1");
  CHECK(host.found.at("algo-2.example") == "fd00::2");
}

TEST_CASE("servers that are not there are named") {
  Host host;
  host.directory.write("resolv.conf", "nameserver 127.0.0.2\nnameserver 127.0.0.3\n");
  CHECK(host.look_up_and_wait("algo-1.example") ==
        "no DNS server could answer: 127.0.0.2, 127.0.0.3");
}

TEST_CASE(
    "without resolv.conf the default server is asked, and it is said that it is the default") {
  Host host;
  const std::string missing = host.directory / "missing";
  host.resolver = std::make_unique<Resolver>(host.loop, names::Servers{missing, host.dns.port()});
  host.dns.names["algo-1.example"] = {{"10.0.0.1"}};
  host.dns.names["failing.example"] = {{}, DnsServer::kServerFailed};
  CHECK(host.look_up_and_wait("algo-1.example") == "10.0.0.1");
  CHECK(host.look_up_and_wait("failing.example") ==
        "no DNS server could answer: 127.0.0.1, as " + missing + " cannot be read");
}

TEST_CASE("a question that is lost is asked again") {
  Host host;
  host.dns.names["algo-1.example"] = {
      .addresses = {}, .answers_ipv4 = false, .answers_ipv6 = false};
  host.look_up("algo-1.example");
  while (host.dns.asked.size() < 2) host.loop.run_once();
  host.dns.names["algo-1.example"] = {{"10.0.0.1"}};
  host.wait_for(1);
  CHECK(host.found.at("algo-1.example") == "10.0.0.1");
  CHECK(host.dns.asked.size() == 4);
}

TEST_CASE("the second server is asked when the first does not answer") {
  Host host;
  DnsServer silent(host.loop, "127.0.0.2", host.dns.port());
  silent.names["algo-1.example"] = {.addresses = {}, .answers_ipv4 = false, .answers_ipv6 = false};
  host.dns.names["algo-1.example"] = {{"10.0.0.1"}};
  host.directory.write("resolv.conf", "nameserver 127.0.0.2\nnameserver 127.0.0.1\n");
  CHECK(host.look_up_and_wait("algo-1.example") == "10.0.0.1");
  CHECK(silent.asked.size() == 2);
}

TEST_CASE("an answer that is late is taken") {
  Host host;
  host.dns.names["algo-1.example"] = {.addresses = {"10.0.0.1"}, .delay = milliseconds(1200)};
  CHECK(host.look_up_and_wait("algo-1.example") == "10.0.0.1");
}

TEST_CASE("an answer that is too long for a datagram is fetched over TCP") {
  Host host;
  DnsServer::Entry entry{.addresses = {}, .truncated = true};
  for (int i = 1; i <= 60; ++i) entry.addresses.push_back("10.0.0." + std::to_string(i));
  host.dns.names["algo-1.example"] = entry;
  CHECK(host.look_up_and_wait("algo-1.example") == join(entry.addresses, " "));
}

TEST_CASE("a name without dots is looked for in the search domains") {
  Host host;
  host.dns.names["algo-1.second.example"] = {{"10.0.0.1"}};
  host.directory.write("resolv.conf",
                       "search first.example second.example\nnameserver 127.0.0.1\n");
  CHECK(host.look_up_and_wait("algo-1") == "10.0.0.1");
}

TEST_CASE("resolv.conf is read anew for each look-up") {
  Host host;
  DnsServer other(host.loop, "127.0.0.2", host.dns.port());
  other.names["algo-1.example"] = {{"10.0.0.1"}};
  CHECK(host.look_up_and_wait("algo-1.example") == "no such name");
  host.directory.write("resolv.conf", "nameserver 127.0.0.2\n");
  CHECK(host.look_up_and_wait("algo-1.example") == "10.0.0.1");
}

TEST_CASE("many names are looked up at the same time, over few sockets") {
  Host host;
  constexpr int kNames = 1000;
  const std::size_t open_before = list_directory("/proc/self/fd")->size();
  std::size_t most_open = 0;
  for (int i = 0; i < kNames; ++i) {
    const std::string name = "algo-" + std::to_string(i) + ".example";
    // Every third is not there.
    if (i % 3 != 0)
      host.dns.names[name] = {{"10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)}};
    host.look_up(name);
  }
  while (host.found.size() < kNames) {
    host.loop.run_once();
    most_open = std::max(most_open, list_directory("/proc/self/fd")->size());
  }
  for (int i = 0; i < kNames; ++i) {
    const std::string address = "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250);
    CHECK(host.found["algo-" + std::to_string(i) + ".example"] ==
          (i % 3 != 0 ? address : "no such name"));
  }
  CHECK(most_open > open_before);
  CHECK(most_open - open_before <= 20);
}

TEST_CASE("of very many names no more are asked for at a time than a cloud's DNS takes") {
  Host host;
  for (int i = 0; i < 200; ++i) {
    const std::string name = "algo-" + std::to_string(i) + ".example";
    host.dns.names[name] = {.addresses = {}, .answers_ipv4 = false, .answers_ipv6 = false};
    host.look_up(name);
  }
  const TimePoint began = Clock::now();
  std::set<std::string> different;
  while (different.size() < 400) {
    host.loop.run_once();
    different.insert(host.dns.asked.begin(), host.dns.asked.end());
  }
  CHECK(Clock::now() - began >= milliseconds(300));
  CHECK(Clock::now() - began < seconds(10));  // before it gives up the first of them
}

TEST_CASE("the next names have their turn at once when those before are answered") {
  Host host;
  const TimePoint began = Clock::now();
  for (int i = 0; i < 5000; ++i)
    host.look_up("10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250));
  host.wait_for(5000);
  CHECK(Clock::now() - began < seconds(5));  // at a cloud's pace it would take ten
}

TEST_CASE("names that wait for their turn end in their time too") {
  Host host;
  for (int i = 0; i < 2000; ++i) {
    const std::string name = "algo-" + std::to_string(i) + ".example";
    host.dns.names[name] = {.addresses = {}, .answers_ipv4 = false, .answers_ipv6 = false};
    host.look_up(name, milliseconds(50));
  }
  host.wait_for(2000);
  CHECK(host.found.at("algo-0.example") == "no DNS server could answer: 127.0.0.1");
  CHECK(host.found.at("algo-1999.example") == "no time was left to ask for it");
}

TEST_CASE("servers that are silent are asked no faster because the time of some names is over") {
  Host host;
  const DnsServer::Entry silent{.addresses = {}, .answers_ipv4 = false, .answers_ipv6 = false};
  host.dns.names["algo-0.example"] = silent;
  host.look_up("algo-0.example", kLong);
  for (int i = 1; i <= 20; ++i) {
    const std::string name = "algo-" + std::to_string(i) + ".example";
    host.dns.names[name] = silent;
    host.look_up(name, milliseconds(4 * i));
  }
  host.wait_for(20);
  for (const auto& [name, answer] : host.found) CHECK(answer == "no time was left to ask for it");
  for (const std::string& question : host.dns.asked)
    CHECK(question.find("algo-0.example") != std::string::npos);
}

TEST_CASE("names with different timeouts end each in its own time") {
  Host host;
  for (const char* name : {"algo-1.example", "algo-2.example"})
    host.dns.names[name] = {.addresses = {}, .answers_ipv4 = false, .answers_ipv6 = false};
  host.look_up("algo-1.example", kLong);
  host.look_up("algo-2.example", milliseconds(100));
  host.wait_for(1);
  CHECK(host.found.begin()->first == "algo-2.example");
}

TEST_CASE("a name that waits holds up none that was asked for with it") {
  Host host;
  host.dns.names["silent.example"] = {
      .addresses = {}, .answers_ipv4 = false, .answers_ipv6 = false};
  host.dns.names["algo-1.example"] = {{"10.0.0.1"}};
  host.look_up("silent.example");
  host.look_up("algo-1.example");
  host.wait_for(1);
  CHECK(host.found.at("algo-1.example") == "10.0.0.1");
}

TEST_CASE("who waits is not called any more when the resolver is gone, and no socket is left") {
  Host host;
  const std::size_t open_before = list_directory("/proc/self/fd")->size();
  host.dns.names["algo-1.example"] = {.addresses = {"10.0.0.1"}, .delay = milliseconds(50)};
  host.look_up("algo-1.example", milliseconds(100));
  host.look_up("10.0.0.1");
  SUBCASE("before it has begun") {}
  SUBCASE("while it waits for an answer") {
    while (host.dns.asked.size() < 2) host.loop.run_once();
    host.found.clear();
  }
  host.resolver.reset();
  CHECK(list_directory("/proc/self/fd")->size() == open_before);
  host.run_for(milliseconds(200));
  CHECK(host.found.empty());
}

TEST_CASE("who is called may end the resolver, and then no one else is called") {
  Host host;
  for (const char* name : {"10.0.0.1", "10.0.0.2", "algo-1.example"}) {
    host.resolver->look_up(name, milliseconds(50), [&, name](const names::Answer&) {
      host.found[name] = "called";
      host.resolver.reset();
    });
  }
  host.run_for(milliseconds(150));
  CHECK(host.found.size() == 1);
}

TEST_CASE("who is called may end the resolver while answers come") {
  Host host;
  host.dns.names["algo-1.example"] = {{"10.0.0.1"}};
  host.resolver->look_up("algo-1.example", kLong, [&](const names::Answer& answer) {
    host.found["algo-1.example"] = Host::text(answer);
    host.resolver.reset();
  });
  host.wait_for(1);
  CHECK(host.found.at("algo-1.example") == "10.0.0.1");
}

TEST_CASE("who is called may look up the next name") {
  Host host;
  host.dns.names["algo-2.example"] = {{"10.0.0.2"}};
  host.resolver->look_up("algo-1.example", kLong,
                         [&](const names::Answer&) { host.look_up("algo-2.example"); });
  host.wait_for(1);
  CHECK(host.found.at("algo-2.example") == "10.0.0.2");
}

TEST_CASE("who is called may look up a name and end the resolver, and then no one else is called") {
  Host host;
  host.resolver->look_up("10.0.0.1", kLong, [&](const names::Answer&) {
    host.look_up("10.0.0.3");
    host.resolver.reset();
  });
  host.look_up("10.0.0.2");
  host.run_for(milliseconds(150));
  CHECK(host.found.empty());
}

TEST_CASE("who is told that no time was left for a name may look it up again") {
  Host host;
  host.dns.names["silent.example"] = {
      .addresses = {}, .answers_ipv4 = false, .answers_ipv6 = false};
  host.look_up("silent.example", kLong);  // the next one has to wait for its turn
  host.resolver->look_up("algo-1.example", milliseconds(10), [&](const names::Answer& answer) {
    CHECK(Host::text(answer) == "no time was left to ask for it");
    host.look_up("algo-1.example", milliseconds(10));
  });
  host.wait_for(1);
}
