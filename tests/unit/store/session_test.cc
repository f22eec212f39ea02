#include "store/session.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "golden.h"

using namespace trainit::store;
using namespace trainit::store::testing;
using Clients = std::vector<ClientId>;

namespace {

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

const std::string kWoken(1, kStopWaiting), kCancel(1, kCanceled);

// Requests of the current generation.
const std::string kHello = RequestWriter(Operation::kValidate).word(kMagic).bytes();
std::string ping(std::uint32_t pid) { return RequestWriter(Operation::kPing).word(pid).bytes(); }
std::string set(std::string_view key, std::string_view value) {
  return RequestWriter(Operation::kSet).text(key).text(value).bytes();
}
std::string get(std::string_view key) { return RequestWriter(Operation::kGet).text(key).bytes(); }
std::string add(std::string_view key, std::int64_t amount) {
  return RequestWriter(Operation::kAdd).text(key).number(amount).bytes();
}
std::string append(std::string_view key, std::string_view value) {
  return RequestWriter(Operation::kAppend).text(key).text(value).bytes();
}
std::string delete_key(std::string_view key) {
  return RequestWriter(Operation::kDeleteKey).text(key).bytes();
}
std::string wait(const std::vector<std::string_view>& keys) {
  RequestWriter writer(Operation::kWait);
  writer.number(static_cast<std::int64_t>(keys.size()));
  for (const std::string_view key : keys) writer.text(key);
  return writer.bytes();
}
std::string multi_set(const std::vector<std::pair<std::string_view, std::string_view>>& pairs) {
  RequestWriter writer(Operation::kMultiSet);
  writer.number(static_cast<std::int64_t>(pairs.size()));
  for (const auto& [key, value] : pairs) writer.text(key).text(value);
  return writer.bytes();
}
std::string multi_get(const std::vector<std::string_view>& keys) {
  RequestWriter writer(Operation::kMultiGet);
  writer.number(static_cast<std::int64_t>(keys.size()));
  for (const std::string_view key : keys) writer.text(key);
  return writer.bytes();
}
std::string barrier(std::string_view key, std::int64_t count) {
  return RequestWriter(Operation::kBarrier).text(key).number(count).bytes();
}
std::string push(std::string_view name, std::string_view value) {
  return RequestWriter(Operation::kQueuePush).text(name).text(value).bytes();
}
const std::string kCancelWait = RequestWriter(Operation::kCancelWait).bytes();
const std::string kCount = RequestWriter(Operation::kGetNumKeys).bytes();
const std::string kJoin = add("init/", 1);

/// The same request as torch 2.1 sends it.
std::string older(std::string request) {
  --request[0];
  return request;
}
/// And torch 1.13 to 2.0, where one number differs.
std::string before_21(std::string request) {
  return request[0] == static_cast<char>(Operation::kDeleteKey) ? request : older(request);
}

/// What all sessions of a server share.
struct Host {
  explicit Host(int world_size = 0) : spaces(world_size) {}

  KeySpaces spaces;
  std::vector<std::string> joined;
  std::vector<int> nameless;
  SessionContext context{spaces,
                         [this](std::string_view place, std::uint32_t pid) {
                           joined.push_back(std::string(place) + " " + std::to_string(pid));
                         },
                         [this](int at_once) { nameless.push_back(at_once); },
                         {}};
};

/// A connection, and what it was answered.
class Client {
 public:
  Client(Host& host, ClientId id, const std::string& address = "10.0.0.1")
      : session(id, address, host.context) {}

  /// What is answered to that.
  std::string say(std::string_view bytes) {
    std::string answers;
    refusal = session.take(bytes, answers);
    while (!refusal && session.has_more()) refusal = session.take({}, answers);
    const std::vector<ClientId> more = session.take_woken();
    woken.insert(woken.end(), more.begin(), more.end());
    return answers;
  }
  /// The same, in pieces of so many bytes.
  std::string say_in_pieces(std::string_view bytes, std::size_t size) {
    std::string answers;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size())))
      answers += say(bytes.substr(0, size));
    return answers;
  }
  Clients take_woken() { return std::exchange(woken, {}); }

  Session session;
  std::optional<Refusal> refusal;
  Clients woken;
};

/// One that has said hello.
class Current : public Client {
 public:
  Current(Host& host, ClientId id) : Client(host, id) { CHECK(say(kHello) == ""); }
};

/// A conversation as it ought to be.
struct Script {
  std::string requests, answers;

  void add(const std::string& request, const std::string& answer) {
    requests += request;
    answers += answer;
  }
};

Script golden() {
  Script script;
  for (const Exchange& exchange : kGolden)
    script.add(bytes_of(exchange.request), bytes_of(exchange.answer));
  return script;
}

/// What of it torch 2.1 has, as it sends it.
Script golden_older() {
  Script script;
  for (const Exchange& exchange : kGolden) {
    if (exchange.operation == Operation::kValidate || exchange.operation >= Operation::kPing)
      continue;
    script.add(older(bytes_of(exchange.request)), bytes_of(exchange.answer));
  }
  return script;
}

void check_in_every_cut(const Script& script) {
  for (std::size_t cut = 0; cut <= script.requests.size(); ++cut) {
    CAPTURE(cut);
    Host host;
    Client client(host, 1);
    const std::string_view requests = script.requests;
    const std::string first = client.say(requests.substr(0, cut));
    CHECK(script.answers.starts_with(first));
    CHECK(first + client.say(requests.substr(cut)) == script.answers);
    CHECK_FALSE(client.refusal.has_value());
    CHECK(client.session.pending_bytes() == 0);
  }
  for (const std::size_t size : {1, 2, 3, 7}) {
    CAPTURE(size);
    Host host;
    CHECK(Client(host, 1).say_in_pieces(script.requests, size) == script.answers);
  }
}

}  // namespace

TEST_CASE("a client of today gets the answers of PyTorch's own server, one by one") {
  Host host;
  Client client(host, 1);
  for (const Exchange& exchange : kGolden) {
    CAPTURE(exchange.request);
    CHECK(client.say(bytes_of(exchange.request)) == bytes_of(exchange.answer));
    CHECK_FALSE(client.refusal.has_value());
    CHECK(client.session.pending_bytes() == 0);
  }
}

TEST_CASE("requests may be cut anywhere, and be sent all at once") { check_in_every_cut(golden()); }

TEST_CASE("a client of torch 2.1 is known by what it sends, wherever that is cut") {
  check_in_every_cut(golden_older());
}

TEST_CASE("all keys are listed with their own names") {
  Host host;
  Current client(host, 1);
  client.say(kJoin + set("/a", "1") + push("/q", "v"));
  const std::string list = RequestWriter(Operation::kListKeys).bytes();
  const std::string answer = client.say(list);
  const std::string a = text("/a"), init = text("init/");
  CHECK((answer == number(2) + a + init || answer == number(2) + init + a));
  client.say(delete_key("/a") + delete_key("init/"));
  CHECK(client.say(list) == number(0));
}

TEST_CASE("several requests of torch 1.13 to 2.0 are understood, each opcode in its own segment") {
  struct Row {
    std::string request, answer;
  };
  Host host;
  Client client(host, 1), other(host, 2);
  for (const Row& row :
       {Row{kJoin, number(1)},
        {set("/k", "v"), ""},
        {wait({"/k"}), kWoken},
        {get("/k"), text("v")},
        {kCount, number(2)},
        {RequestWriter(Operation::kCompareSet).text("/k").text("v").text("w").bytes(), text("w")},
        {RequestWriter(Operation::kCheck).number(1).text("/x").bytes(), "\1"},
        {add("/barrier", 0), number(0)}}) {
    const std::string request = before_21(row.request);
    CAPTURE(static_cast<int>(request[0]));
    std::string answer = client.say(request.substr(0, 1));
    CHECK((answer.empty() || request.size() == 1));
    answer += client.say(request.substr(1));
    CHECK(answer == row.answer);
    CHECK_FALSE(client.session.is_undecided());
  }
}

TEST_CASE("a key's removal before torch 2.1 is one when nothing more comes") {
  Host host;
  Client client(host, 1);
  client.say(older(set("/k", "v")) + older(set("/l", "w")));
  CHECK(client.say("\x08") == "");
  CHECK_FALSE(client.session.is_undecided());
  const std::string fields = delete_key("/k").substr(1);
  CHECK(client.say(fields.substr(0, 5)) == "");
  CHECK_FALSE(client.session.is_undecided());
  CHECK(client.say(fields.substr(5)) == "");
  REQUIRE(client.session.is_undecided());
  client.session.settle();
  CHECK(client.say("") == number(1));
  CHECK_FALSE(client.session.is_undecided());
  CHECK(client.say(older(get("/k"))) == text(""));
  // From now on it is known who this is.
  CHECK(client.say(delete_key("/l") + delete_key("/l")) == number(1) + number(0));
  CHECK_FALSE(client.session.is_undecided());
}

TEST_CASE("a watch before torch 2.1 is refused and removes nothing, when it is known to be one") {
  Host host;
  Client client(host, 1), other(host, 2);
  const std::string watch = older(delete_key("/k"));  // which has the number of a removal of 2.1
  client.say(older(set("/k", "v")));
  CHECK(client.say(watch) == number(1));
  client.say(older(set("/k", "v")) + delete_key("/l"));
  REQUIRE(client.session.is_undecided());
  client.session.settle();
  CHECK(client.say("") == number(0));
  CHECK(client.say(watch) == "");
  CHECK(client.refusal == Refusal::kStranger);
  CHECK(other.say(older(get("/k"))) == text("v"));
}

TEST_CASE("an append of torch 2.1 is one although it is cut behind its key") {
  Host host;
  Client client(host, 1);
  const std::string request = older(append("/k", "value"));
  const std::size_t key_end = 1 + text("/k").size();
  for (std::size_t cut = 1; cut < request.size(); ++cut) {
    CAPTURE(cut);
    client.say(older(set("/k", "a ")));
    CHECK(client.say(std::string_view(request).substr(0, cut)) == "");
    CHECK(client.session.is_undecided() == (cut == key_end));
    CHECK(client.say(std::string_view(request).substr(cut)) == "");
    CHECK_FALSE(client.session.is_undecided());
    CHECK(client.say(older(get("/k"))) == text("a value"));
  }
}

TEST_CASE("the first byte of torch 2.1 and before may be that of today's hello") {
  Host host;
  Client client(host, 1);
  // A key of 206 bytes has a length that begins as the magic number does.
  const std::string key(0xCE, 'k');
  CHECK(client.say_in_pieces(older(set(key, "v")), 1) == "");
  CHECK_FALSE(client.refusal.has_value());
  CHECK(client.say(older(get(key))) == text("v"));
}

TEST_CASE("nothing is decided on half a hello") {
  Host host;
  for (std::size_t size = 1; size < kHello.size(); ++size) {
    Client client(host, 1);
    CHECK(client.say(std::string_view(kHello).substr(0, size)) == "");
    CHECK_FALSE(client.refusal.has_value());
    CHECK(client.session.is_silent());
    CHECK(client.session.pending_bytes() == size);
  }
}

TEST_CASE("whoever does not speak the protocol is a stranger") {
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("SSH-2.0-OpenSSH"), std::string("\r\n"),
        bytes_of("16 03 01 02 00"), bytes_of("CE F7 85 3C 00"), std::string("\x0C"),
        std::string("\xFF"), kHello + "\x13", kHello + "\xFF",
        kHello + RequestWriter(Operation::kValidate).word(kMagic + 1).bytes(),
        older(set("/k", "v")) + "\x0C", older(set("/k", "v")) + "\xFF"}) {
    CAPTURE(bytes);
    Host host;
    Client client(host, 1);
    client.say(bytes);
    CHECK(client.refusal == Refusal::kStranger);
  }
}

TEST_CASE("a wrong magic number is no request of torch 2.1 either") {
  Host host;
  Client client(host, 1);
  client.say(bytes_of("00 CE F7 85 3D 00 00 00 00"));
  CHECK(client.refusal == Refusal::kTooLong);
}

TEST_CASE("before it says hello a client of today cannot do anything") {
  Host host;
  Client client(host, 1);
  client.say(ping(1));
  CHECK(client.refusal == Refusal::kStranger);
}

TEST_CASE("a length over its limit is refused before what it announces comes") {
  for (const std::string& request :
       {std::string("\x01") + number(8 * 1024 + 1), std::string("\x03") + number(-1),
        "\x01" + text("/k") + number(8 * 1024 * 1024 + 1),
        std::string("\x06") + number(128 * 1024 + 1)}) {
    Host host;
    Current client(host, 1);
    client.say(request);
    CHECK(client.refusal == Refusal::kTooLong);
    Client older_client(host, 2);
    older_client.say(older(request));
    CHECK(older_client.refusal == Refusal::kTooLong);
  }
}

TEST_CASE("what came before something that is refused is done and answered") {
  Host host;
  Current client(host, 1), other(host, 2);
  CHECK(client.say(set("/k", "v") + get("/k") + "\x13" + set("/k", "w")) == text("v"));
  CHECK(client.refusal == Refusal::kStranger);
  CHECK(other.say(get("/k")) == text("v"));
}

TEST_CASE("adding to a text is refused, and so is a barrier on it") {
  for (const std::string& request :
       {add("/text", 1), barrier("/text", 2), add("/most", 1), barrier("/most", 2)}) {
    Host host;
    Current client(host, 1), other(host, 2);
    client.say(set("/text", "v") + set("/most", "9223372036854775807"));
    CHECK(client.say(request + get("/text")) == "");
    CHECK(client.refusal == Refusal::kNoNumber);
    CHECK(other.say(get("/text")) == text("v"));
  }
}

TEST_CASE("half a request changes nothing, not even what of it is whole") {
  Host host;
  Current client(host, 1), other(host, 2), waiting(host, 3);
  const std::string request = multi_set({{"/a", "1"}, {"/b", "2"}});
  CHECK(waiting.say(wait({"/a", "/b"})) == "");
  for (std::size_t size = 1; size < request.size(); ++size) {
    Current gone(host, 4);
    CHECK(gone.say(std::string_view(request).substr(0, size)) == "");
    CHECK(gone.take_woken() == Clients{});
    CHECK(gone.session.pending_bytes() == size);
    CHECK(other.say(kCount) == number(0));
  }
  CHECK(client.say(request) == "");
  CHECK(client.take_woken() == Clients{3});
  CHECK(other.say(get("/a") + get("/b")) == text("1") + text("2"));
}

TEST_CASE("whoever waits is woken by another's request, once") {
  Host host;
  Current client(host, 1), other(host, 2), third(host, 3);
  CHECK(client.say(wait({"/a"})) == "");
  CHECK(third.say(wait({"/a", "/b"})) == "");
  CHECK(other.say(set("/a", "v") + set("/a", "w") + get("/a")) == text("w"));
  CHECK(other.take_woken() == Clients{1});
  CHECK(other.say(append("/b", "v")) == "");
  CHECK(other.take_woken() == Clients{3});
}

TEST_CASE("every request that can end a wait does") {
  for (const std::string& request :
       {set("/k", "v"), append("/k", "v"), add("/k", 1), push("/k", "v"), multi_set({{"/k", "v"}}),
        barrier("/k", 1),
        RequestWriter(Operation::kCompareSet).text("/k").text("").text("").bytes()}) {
    CAPTURE(static_cast<int>(request[0]));
    Host host;
    Current client(host, 1), other(host, 2);
    client.say(wait({"/k"}));
    other.say(request);
    CHECK(other.take_woken() == Clients{1});
  }
}

TEST_CASE("a client that waits for what it sends itself is told before what it asks next") {
  struct Row {
    std::string request, answer;
  };
  for (const Row& row :
       {Row{set("/k", "v"), ""},
        {append("/k", "v"), ""},
        {multi_set({{"/k", "v"}}), ""},
        {push("/k", "v"), ""},
        {add("/k", 7), number(7)},
        {RequestWriter(Operation::kCompareSet).text("/k").text("").text("vw").bytes(),
         text("vw")}}) {
    CAPTURE(static_cast<int>(row.request[0]));
    Host host;
    Current client(host, 1);
    const std::string before = get("/x"), after = kCount;
    const std::string answer = client.say(wait({"/k"}) + before + row.request + after);
    const std::string keys = number(row.request[0] == push("", "")[0] ? 0 : 1);
    CHECK(answer == text("") + kWoken + row.answer + keys);
    CHECK(client.take_woken() == Clients{});
  }
}

TEST_CASE("a wait that is cancelled is answered with that alone, and never again") {
  Host host;
  Current client(host, 1), other(host, 2);
  CHECK(client.say(wait({"/k"})) == "");
  CHECK(client.say(kCancelWait) == kCancel);
  other.say(set("/k", "v"));
  CHECK(other.take_woken() == Clients{});
  CHECK(client.say(wait({"/other"}) + kCancelWait + get("/k")) == kCancel + text("v"));
}

TEST_CASE("a wait that ended before it is cancelled is answered twice") {
  Host host;
  Current client(host, 1), other(host, 2);
  client.say(wait({"/k"}));
  other.say(set("/k", "v"));
  CHECK(other.take_woken() == Clients{1});
  CHECK(client.say(kCancelWait) == kCancel);
  CHECK(client.say(wait({"/k"}) + kCancelWait) == kWoken + kCancel);
}

TEST_CASE("a cancel of nothing is answered, too") {
  Host host;
  Current client(host, 1);
  CHECK(client.say(kCancelWait + kCancelWait) == kCancel + kCancel);
}

TEST_CASE("a barrier that is cancelled has counted") {
  Host host;
  Current client(host, 1), other(host, 2);
  CHECK(client.say(barrier("/b", 2)) == "");
  CHECK(client.say(kCancelWait) == kCancel);
  CHECK(client.say(get("/b")) == text("1"));
  CHECK(other.say(barrier("/b", 2)) == kWoken);
  CHECK(other.take_woken() == Clients{});
}

TEST_CASE("the last one at a barrier lets all through") {
  Host host;
  Current a(host, 1), b(host, 2), c(host, 3);
  CHECK(a.say(barrier("/b", 3)) == "");
  CHECK(b.say(barrier("/b", 3)) == "");
  CHECK(c.say(barrier("/b", 3) + kCount) == kWoken + number(1));
  CHECK(c.take_woken() == Clients{1, 2});
}

TEST_CASE("before torch 2.2 whatever is asked for during a wait ends it") {
  for (const std::string& request : {older(get("/x")), older(kCount), older(add("/n", 1))}) {
    Host host;
    Client client(host, 1);
    Current other(host, 2);
    CHECK(client.say(older(wait({"/k"}))) == "");
    CHECK(client.say(request) != "");
    other.say(set("/k", "v"));
    CHECK(other.take_woken() == Clients{});
  }
}

TEST_CASE("today a request during a wait does not end it") {
  Host host;
  Current client(host, 1), other(host, 2);
  CHECK(client.say(wait({"/k"})) == "");
  CHECK(client.say(get("/x")) == text(""));
  other.say(set("/k", "v"));
  CHECK(other.take_woken() == Clients{1});
}

TEST_CASE("torch 2.1 can cancel a wait") {
  Host host;
  Client client(host, 1);
  Current other(host, 2);
  CHECK(client.say(older(wait({"/k"})) + older(kCancelWait)) == kCancel);
  other.say(set("/k", "v"));
  CHECK(other.take_woken() == Clients{});
}

TEST_CASE("a client that is gone waits no more") {
  Host host;
  Current other(host, 2);
  {
    Current gone(host, 1);
    gone.say(kJoin + wait({"/k"}));
  }
  Current next(host, 1);
  other.say(set("/k", "v"));
  CHECK(other.take_woken() == Clients{});
  CHECK(next.say(get("/k")) == text("v"));
}

TEST_CASE("a join is told with its process, once a connection") {
  Host host(2);
  Client a(host, 1, "10.0.0.1"), b(host, 2, "fd00::2"), old(host, 3, "10.0.0.3");
  CHECK(a.say(kHello + ping(4660) + add("init/", 0)) == bytes_of("34 12 00 00") + number(0));
  CHECK(host.joined.empty());
  CHECK(a.say(kJoin) == number(1));
  CHECK(a.say(kJoin) == number(2));
  b.say(kHello + kJoin);
  old.say(older(kJoin));
  b.say(set("init/", "7") + add("/init/", 1) + add("init", 1));
  CHECK(host.joined == std::vector<std::string>{"10.0.0.1 4660"});
  CHECK(host.nameless == std::vector<int>{1, 2});
}

TEST_CASE("of those who do not tell who they are it is told how many are there at once") {
  Host host(3);
  for (int round = 0; round < 3; ++round) Client(host, 1).say(older(kJoin));
  Client one(host, 1), two(host, 2);
  one.say(older(kJoin));
  two.say(kHello + kJoin);
  CHECK(host.joined.empty());
  CHECK(host.nameless == std::vector<int>{1, 1, 1, 1, 2});
}

TEST_CASE("processes that join again find no keys, and each other") {
  Host host(2);
  const auto connect = [&](ClientId id, std::uint32_t pid) {
    auto client = std::make_unique<Client>(host, id);
    client->say(kHello + ping(pid));
    return client;
  };
  auto a = connect(1, 100), b = connect(2, 200);
  CHECK(a->say(kJoin) == number(1));
  CHECK(b->say(kJoin + set("/k", "old")) == number(2));
  auto clone = connect(3, 100);
  CHECK(clone->say(get("/k")) == text("old"));

  a.reset();
  a = connect(4, 100);
  CHECK(a->say(kJoin + get("/k")) == number(1) + text(""));
  CHECK(a->say(wait({"/k"})) == "");
  CHECK(b->say(set("/k", "still old")) == "");
  CHECK(b->take_woken() == Clients{});
  CHECK(clone->say(get("/k")) == text("still old"));

  b.reset();
  b = connect(2, 200);
  CHECK(b->say(kJoin + set("/k", "new")) == number(2));
  CHECK(b->take_woken() == Clients{4});
}

TEST_CASE("the same pid on another host is another process") {
  Host host(2);
  {
    Client gone(host, 1, "10.0.0.1");
    CHECK(gone.say(kHello + ping(100) + kJoin).ends_with(number(1)));
  }
  Client other(host, 1, "10.0.0.2");
  CHECK(other.say(kHello + ping(100) + kJoin).ends_with(number(2)));
}

TEST_CASE("clients that do not tell who they are, are not one because they are on one host") {
  Host host(2);
  Client stays(host, 1);
  {
    Client gone(host, 2);
    CHECK(stays.say(kHello + kJoin) == number(1));
    CHECK(gone.say(older(kJoin)) == number(2));
  }
  Client again(host, 2);
  CHECK(again.say(older(kJoin)) == number(1));
}

TEST_CASE("whoever joins goes on waiting for what it waited for among the same keys") {
  Host host(2);
  Client client(host, 1), other(host, 2);
  CHECK(client.say(kHello + ping(100) + wait({"/k"})).size() == 4);
  CHECK(client.say(kJoin) == number(1));
  other.say(kHello + ping(200) + set("/k", "v"));
  CHECK(other.take_woken() == Clients{1});
}

TEST_CASE("whoever joins waits no more for what it waited for among other keys") {
  Host host(1);
  Client client(host, 2), tool(host, 3);
  {
    Client first(host, 1);
    first.say(kHello + ping(100) + kJoin);
    client.say(kHello + ping(200) + kCount);
    tool.say(kHello + ping(300) + kCount);
  }
  Client again(host, 1);
  CHECK(again.say(kHello + ping(100) + kJoin).ends_with(number(1)));
  CHECK(client.say(wait({"/k"})) == "");
  CHECK(client.say(kJoin) == number(2));
  CHECK(tool.say(set("/k", "v") + kCount) == number(2));
  CHECK(tool.take_woken() == Clients{});
}

TEST_CASE("a process stays who it was when it joined, whatever it calls itself then") {
  Host host(1);
  {
    Client first(host, 1), liar(host, 2);
    first.say(kHello + ping(100) + kJoin + set("/k", "v"));
    liar.say(kHello + ping(200) + kJoin);
    CHECK(liar.say(ping(100)) == bytes_of("64 00 00 00"));
  }
  Client again(host, 1);
  again.say(kHello + ping(200));
  // It has left, and so joins anew.
  CHECK(again.say(kJoin) == number(1));
}

TEST_CASE("many answers are given in parts, in which nothing is lost or twice") {
  Host host;
  Current client(host, 1), other(host, 2);
  const std::string big(700'000, 'v');
  client.say(set("/big", big));
  std::string requests, expected;
  for (int index = 0; index < 5; ++index) {
    requests += get("/big") + add("/n", 1);
    expected += text(big) + number(index + 1);
  }
  const std::string part = get("/big").substr(0, 6);
  requests += part;
  std::string_view bytes = requests;
  std::string answers;
  std::size_t parts = 0;
  do {
    std::string more;
    REQUIRE_FALSE(client.session.take(std::exchange(bytes, {}), more).has_value());
    CHECK(more.size() <= 2'100'000);
    answers += more;
    ++parts;
  } while (client.session.has_more());
  CHECK(parts == 3);
  CHECK(answers == expected);
  CHECK(client.session.pending_bytes() == part.size());
  CHECK(client.say(get("/big").substr(6)) == text(big));
}

TEST_CASE("what comes while there is more to do is done after it") {
  Host host;
  Current client(host, 1);
  client.say(set("/big", std::string(3 << 20, 'v')));
  std::string first, second;
  client.session.take(get("/big") + add("/n", 1), first);
  REQUIRE(client.session.has_more());
  CHECK(first.size() == 8 + (3 << 20));
  client.session.take(add("/n", 2), second);
  CHECK_FALSE(client.session.has_more());
  CHECK(second == number(1) + number(3));
}

TEST_CASE("values that come to more than 256 MiB are not given at once") {
  Host host;
  Current client(host, 1);
  client.say(set("/big", std::string(8 << 20, 'v')) + set("/byte", "v"));
  std::vector<std::string_view> keys(32, "/big");
  keys.push_back("/byte");
  CHECK(client.say(multi_get(keys)) == "");
  CHECK(client.refusal == Refusal::kTooMuch);
}

TEST_CASE("values up to the limit are given at once, and with one byte more none") {
  Host host;
  host.context.most_values = 10;
  Current client(host, 1);
  client.say(set("/a", "123456") + set("/b", "1234"));
  CHECK(client.say(multi_get({"/a", "/b", "/none"})) == text("123456") + text("1234") + text(""));
  CHECK_FALSE(client.refusal.has_value());
  CHECK(client.say(append("/b", "5") + multi_get({"/a", "/b"})) == "");
  CHECK(client.refusal == Refusal::kTooMuch);
}

TEST_CASE("whoever has sent a whole request is no silent one") {
  Host host;
  Client client(host, 1), old(host, 2);
  CHECK(client.session.is_silent());
  client.say(kHello);
  CHECK_FALSE(client.session.is_silent());
  const std::string request = older(set("/k", "v"));
  old.say(std::string_view(request).substr(0, request.size() - 1));
  CHECK(old.session.is_silent());
  old.say(std::string_view(request).substr(request.size() - 1));
  CHECK_FALSE(old.session.is_silent());
}
