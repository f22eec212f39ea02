#include "store/store.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <set>

using namespace trainit::store;
using Keys = std::vector<std::string_view>;
using Clients = std::vector<ClientId>;

namespace {

constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();

/// Who waits for what, as one list that is searched from its beginning, the longest first.
class WaitList {
 public:
  bool wait(ClientId client, const Keys& names) {
    stop_waiting(client);
    std::set<std::string_view> missing;
    for (const std::string_view name : names) {
      if (!keys.contains(name) && queues[name] == 0) missing.insert(name);
    }
    if (missing.empty()) return true;
    waits_.push_back({client, std::move(missing)});
    return false;
  }
  void wait_for(ClientId client, std::string_view name) {
    stop_waiting(client);
    waits_.push_back({client, {name}});
  }
  void stop_waiting(ClientId client) {
    std::erase_if(waits_, [&](const Wait& wait) { return wait.client == client; });
  }
  void come(std::string_view name, std::size_t for_most) {
    for (Wait& wait : waits_) {
      if (for_most == 0) break;
      for_most -= wait.names.erase(name);
      if (wait.names.empty()) woken.push_back(wait.client);
    }
    std::erase_if(waits_, [](const Wait& wait) { return wait.names.empty(); });
  }

  std::set<std::string_view> keys;
  std::map<std::string_view, int> queues;
  Clients woken;

 private:
  struct Wait {
    ClientId client;
    std::set<std::string_view> names;
  };
  std::vector<Wait> waits_;
};

bool wait(Store& store, ClientId client, const Keys& keys) { return store.wait(client, keys); }
bool has_all(const Store& store, const Keys& keys) { return store.has_all(keys); }

std::vector<std::string> keys_of(const Store& store) {
  std::vector<std::string> keys;
  store.for_each_key([&](std::string_view key) { keys.emplace_back(key); });
  std::sort(keys.begin(), keys.end());
  return keys;
}

/// So many things happen to a store by chance, and it does as the list says.
void play(std::uint32_t seed) {
  constexpr int kSteps = 10'000;
  const std::string_view names[] = {"/a", "/b", "/c", "/d"};
  std::mt19937 dice(seed);
  const auto roll = [&](std::size_t sides) { return dice() % sides; };
  Store store;
  WaitList list;
  for (int step = 0; step < kSteps; ++step) {
    CAPTURE(step);
    const auto client = static_cast<ClientId>(roll(30));
    const std::string_view name = names[roll(std::size(names))];
    switch (roll(20)) {
      case 0:
        store.set(name, "v");
        list.keys.insert(name);
        list.come(name, SIZE_MAX);
        break;
      case 1:
        store.queue_push(name, "v");
        ++list.queues[name];
        list.come(name, 1);
        break;
      case 2:
      case 3:
        REQUIRE(store.remove(name) == (list.keys.erase(name) == 1));
        break;
      case 4:
      case 5:
        REQUIRE(store.queue_pop(name).has_value() == (list.queues[name] > 0));
        list.queues[name] = std::max(0, list.queues[name] - 1);
        break;
      case 6:
        store.remove(name);
        list.keys.insert(name);
        REQUIRE(store.barrier(client, name, 2) == false);
        list.wait_for(client, name);
        break;
      case 7:
      case 8:
      case 9:
        store.stop_waiting(client);
        list.stop_waiting(client);
        break;
      default: {
        Keys keys{name};
        while (roll(2) == 0) keys.push_back(names[roll(std::size(names))]);
        REQUIRE(wait(store, client, keys) == list.wait(client, keys));
      }
    }
    REQUIRE(store.take_woken() == std::exchange(list.woken, {}));
  }
}
}  // namespace

TEST_CASE("a key has the value that was set last, and none has an empty one") {
  Store store;
  CHECK(store.get("/k") == "");
  store.set("/k", "v1");
  CHECK(store.get("/k") == "v1");
  store.set("/k", "");
  CHECK(store.get("/k") == "");
  CHECK(has_all(store, {"/k"}));
  CHECK(store.size() == 1);
}

TEST_CASE("keys and values are bytes: case, slashes, zeros and nothing at all make a difference") {
  Store store;
  const std::string_view zero("a\0b", 3), other("a\0c", 3), values("\0\xFF\n", 3);
  store.set(zero, values);
  store.set("", "empty");
  store.set("a", "1");
  store.set("A", "2");
  store.set("/a", "3");
  CHECK(store.get(zero) == values);
  CHECK(store.get(other) == "");
  CHECK(store.get("") == "empty");
  CHECK(store.size() == 5);
  CHECK(keys_of(store) == std::vector<std::string>{"", "/a", "A", "a", std::string(zero)});
}

TEST_CASE("append goes on with what is there, or begins") {
  Store store;
  store.append("/k", "a");
  store.append("/k", "");
  store.append("/k", "bc");
  CHECK(store.get("/k") == "abc");
}

TEST_CASE("a removed key is gone, and there is nothing to remove a second time") {
  Store store;
  store.set("/k", "v");
  CHECK(store.remove("/k"));
  CHECK_FALSE(store.remove("/k"));
  CHECK_FALSE(has_all(store, {"/k"}));
  CHECK(store.size() == 0);
  CHECK(store.add("/k", 2) == 2);
}

TEST_CASE("all of no keys are there, and of several each has to be") {
  Store store;
  CHECK(has_all(store, {}));
  store.set("/a", "");
  CHECK(has_all(store, {"/a", "/a"}));
  CHECK_FALSE(has_all(store, {"/a", "/b"}));
  store.queue_push("/b", "x");
  CHECK(has_all(store, {"/a", "/b"}));
}

TEST_CASE("a sum is kept as text, and begins at 0") {
  Store store;
  CHECK(store.add("/n", 5) == 5);
  CHECK(store.get("/n") == "5");
  CHECK(store.add("/n", -12) == -7);
  CHECK(store.get("/n") == "-7");
  CHECK(store.add("/n", 0) == -7);
  CHECK(store.add("/zero", 0) == 0);
  CHECK(store.get("/zero") == "0");
}

TEST_CASE("what was set as text can be added to when it begins with a decimal number") {
  struct Row {
    const char* value;
    std::optional<std::int64_t> sum;
    const char* kept;
  };
  for (const Row& row : {Row{"41", 42, "42"},
                         {"007", 8, "8"},
                         {"-1", 0, "0"},
                         {"-0", 1, "1"},
                         {"9223372036854775806", kMost, "9223372036854775807"},
                         {"9223372036854775807", {}, "9223372036854775807"},
                         {"9223372036854775808", {}, "9223372036854775808"},
                         {"-9223372036854775808", kLeast + 1, "-9223372036854775807"},
                         {"-9223372036854775809", {}, "-9223372036854775809"},
                         {"99999999999999999999999999", {}, "99999999999999999999999999"},
                         {"", {}, ""},
                         {"+5", 6, "6"},
                         {" \t\n5", 6, "6"},
                         {"5 ", 6, "6"},
                         {"5\n", 6, "6"},
                         {"5abc", 6, "6"},
                         {"0x10", 1, "1"},
                         {"1.0", 2, "2"},
                         {"1e3", 2, "2"},
                         {"-", {}, "-"},
                         {"+", {}, "+"},
                         {" ", {}, " "},
                         {"--5", {}, "--5"},
                         {"+-5", {}, "+-5"},
                         {"text", {}, "text"}}) {
    CAPTURE(row.value);
    Store store;
    store.set("/n", row.value);
    CHECK(store.add("/n", 1) == row.sum);
    CHECK(store.get("/n") == row.kept);
  }
  Store store;
  store.set("/n", std::string_view("5\0", 2));
  CHECK(store.add("/n", 1) == 6);
}

TEST_CASE("a sum beyond 64 bits is none, in either direction") {
  Store store;
  CHECK(store.add("/n", kMost) == kMost);
  CHECK_FALSE(store.add("/n", 1).has_value());
  CHECK(store.get("/n") == "9223372036854775807");
  CHECK(store.add("/n", kLeast) == -1);
  CHECK(store.add("/n", kLeast + 1) == kLeast);
  CHECK_FALSE(store.add("/n", -1).has_value());
  CHECK_FALSE(store.add("/n", kLeast).has_value());
}

TEST_CASE("compare and set stores when what is there is what was expected") {
  struct Row {
    std::optional<std::string_view> there;
    const char *expected, *desired, *answer;
    std::optional<std::string_view> then;
  };
  for (const Row& row : {Row{{}, "", "a", "a", "a"},
                         {{}, "", "", "", ""},
                         {{}, "z", "a", "z", {}},
                         {"v", "v", "a", "a", "a"},
                         {"v", "", "a", "v", "v"},
                         {"v", "w", "a", "v", "v"},
                         {"", "", "a", "a", "a"},
                         {"", "z", "a", "", ""},
                         {"v", "v", "", "", ""}}) {
    CAPTURE(row.expected);
    Store store;
    if (row.there) store.set("/k", *row.there);
    CHECK(store.compare_set("/k", row.expected, row.desired) == row.answer);
    CHECK(has_all(store, {"/k"}) == row.then.has_value());
    CHECK(store.get("/k") == row.then.value_or(""));
  }
}

TEST_CASE("whoever waits for what is there does not wait") {
  Store store;
  store.set("/k", "");
  CHECK(wait(store, 1, {"/k"}));
  CHECK(wait(store, 1, {}));
  CHECK(wait(store, 1, {"/k", "/k"}));
  CHECK_FALSE(store.anybody_waits());
  CHECK_FALSE(store.has_woken());
}

TEST_CASE("everything that makes a key wakes whoever waits for it, once") {
  Store store;
  CHECK_FALSE(wait(store, 1, {"/k"}));
  CHECK(store.anybody_waits());
  SUBCASE("set") { store.set("/k", "v"); }
  SUBCASE("append") { store.append("/k", "v"); }
  SUBCASE("add") { store.add("/k", 1); }
  SUBCASE("compare and set") { store.compare_set("/k", "", "v"); }
  SUBCASE("a queue of that name") { store.queue_push("/k", "v"); }
  CHECK(store.has_woken());
  CHECK(store.take_woken() == Clients{1});
  CHECK_FALSE(store.has_woken());
  CHECK_FALSE(store.anybody_waits());
  store.set("/k", "w");
  CHECK(store.take_woken() == Clients{});
}

TEST_CASE("what makes no key wakes nobody") {
  Store store;
  wait(store, 1, {"/k"});
  store.set("/other", "v");
  store.compare_set("/k", "z", "v");
  store.set("/", "v");
  store.set("/k/", "v");
  store.remove("/k");
  store.queue_pop("/k");
  CHECK_FALSE(store.has_woken());
  CHECK(store.anybody_waits());
}

TEST_CASE("everybody who waits for a key is woken, the longest first") {
  Store store;
  for (const ClientId client : {7, 3, 5}) wait(store, client, {"/k"});
  wait(store, 9, {"/other"});
  store.set("/k", "v");
  CHECK(store.take_woken() == Clients{7, 3, 5});
  CHECK(store.anybody_waits());
}

TEST_CASE("of several keys each has to come once, in any order") {
  Store store;
  store.set("/there", "v");
  CHECK_FALSE(wait(store, 1, {"/a", "/there", "/b", "/c"}));
  store.set("/c", "v");
  store.set("/c", "w");
  store.set("/a", "v");
  CHECK_FALSE(store.has_woken());
  store.set("/b", "v");
  CHECK(store.take_woken() == Clients{1});
}

TEST_CASE("a key that has come does not have to stay") {
  Store store;
  store.set("/there", "v");
  wait(store, 1, {"/there", "/a", "/b"});
  store.set("/a", "v");
  store.remove("/a");
  store.remove("/there");
  store.set("/b", "v");
  CHECK(store.take_woken() == Clients{1});
}

TEST_CASE("a key that is waited for twice has to come once") {
  Store store;
  wait(store, 1, {"/a", "/b", "/a", "/b", "/b"});
  wait(store, 2, {"/b", "/a", "/b"});
  store.set("/a", "v");
  CHECK_FALSE(store.has_woken());
  store.set("/b", "v");
  CHECK(store.take_woken() == Clients{1, 2});
  wait(store, 1, {"/q", "/q"});
  store.queue_push("/q", "v");
  CHECK(store.take_woken() == Clients{1});
}

TEST_CASE("a second wait takes the place of the first") {
  Store store;
  wait(store, 1, {"/a", "/b"});
  CHECK_FALSE(wait(store, 1, {"/b", "/c"}));
  store.set("/a", "v");
  store.set("/c", "v");
  CHECK_FALSE(store.has_woken());
  store.set("/b", "v");
  CHECK(store.take_woken() == Clients{1});

  wait(store, 1, {"/d"});
  CHECK(wait(store, 1, {"/a"}));
  CHECK_FALSE(store.anybody_waits());
  store.set("/d", "v");
  CHECK_FALSE(store.has_woken());
}

TEST_CASE("whoever stops waiting is not woken, and the others are") {
  Store store;
  wait(store, 1, {"/a", "/b"});
  wait(store, 2, {"/b", "/a"});
  wait(store, 3, {"/b"});
  store.set("/a", "v");
  store.stop_waiting(1);
  store.stop_waiting(1);
  store.stop_waiting(99);
  store.set("/b", "v");
  CHECK(store.take_woken() == Clients{2, 3});
}

TEST_CASE("a new client with the number of one that is gone inherits nothing") {
  Store store;
  store.barrier(1, "/barrier", 2);
  store.stop_waiting(1);
  wait(store, 1, {"/queue"});
  store.stop_waiting(1);
  wait(store, 1, {"/a", "/b"});
  store.stop_waiting(1);
  wait(store, 1, {"/mine"});
  store.set("/a", "v");
  store.set("/b", "v");
  store.queue_push("/queue", "v");
  store.barrier(2, "/barrier", 2);
  CHECK_FALSE(store.has_woken());
  store.set("/mine", "v");
  CHECK(store.take_woken() == Clients{1});
}

TEST_CASE("a queue gives the oldest value first, and is no key") {
  Store store;
  CHECK(store.queue_size("/q") == 0);
  CHECK_FALSE(store.queue_pop("/q").has_value());
  store.queue_push("/q", "a");
  store.queue_push("/q", "");
  store.queue_push("/q", "c");
  store.queue_push("/other", "x");
  CHECK(store.queue_size("/q") == 3);
  CHECK(store.size() == 0);
  CHECK(keys_of(store).empty());
  CHECK(store.get("/q") == "");
  CHECK_FALSE(store.remove("/q"));
  CHECK(store.queue_pop("/q") == "a");
  CHECK(store.queue_pop("/q") == "");
  CHECK(store.queue_pop("/q") == "c");
  CHECK_FALSE(store.queue_pop("/q").has_value());
  store.set("/q", "key");
  CHECK(store.queue_size("/q") == 0);
}

TEST_CASE("a push wakes exactly the one who has waited longest") {
  Store store;
  for (const ClientId client : {4, 2, 6}) wait(store, client, {"/q"});
  store.queue_push("/q", "a");
  CHECK(store.take_woken() == Clients{4});
  store.queue_push("/q", "b");
  store.queue_push("/q", "c");
  CHECK(store.take_woken() == Clients{2, 6});
  store.queue_push("/q", "d");
  CHECK_FALSE(store.has_woken());
}

TEST_CASE("one who gives up leaves the push to the next") {
  Store store;
  for (const ClientId client : {1, 2, 3}) wait(store, client, {"/q"});
  store.stop_waiting(1);
  wait(store, 2, {"/q"});  // again, and so at the end of the row
  store.queue_push("/q", "a");
  CHECK(store.take_woken() == Clients{3});
}

TEST_CASE("one who gives up after the name has come is not counted among those who wait for it") {
  Store store;
  wait(store, 1, {"/q", "/other"});
  store.queue_push("/q", "a");
  store.queue_pop("/q");
  for (const ClientId client : {2, 3, 4}) wait(store, client, {"/q"});
  store.stop_waiting(1);
  for (const ClientId client : {2, 3, 4}) {
    store.queue_push("/q", "b");
    CHECK(store.take_woken() == Clients{client});
    store.queue_pop("/q");
  }
}

TEST_CASE("a queue that is not empty is there, and one that was emptied is not") {
  Store store;
  store.queue_push("/q", "a");
  CHECK(wait(store, 1, {"/q"}));
  store.queue_pop("/q");
  CHECK_FALSE(wait(store, 1, {"/q"}));
  store.set("/q", "v");
  CHECK(store.take_woken() == Clients{1});
}

TEST_CASE("the last one to come to a barrier is let through at once, and wakes the others") {
  Store store;
  CHECK(store.barrier(1, "/b", 3) == false);
  CHECK(store.barrier(2, "/b", 3) == false);
  CHECK(store.anybody_waits());
  CHECK_FALSE(store.has_woken());
  CHECK(store.get("/b") == "2");
  CHECK(store.barrier(3, "/b", 3) == true);
  CHECK(store.take_woken() == Clients{1, 2});
  CHECK_FALSE(store.anybody_waits());
  CHECK(store.get("/b") == "3");
}

TEST_CASE("a barrier of one, of none and of fewer lets everybody through") {
  Store store;
  CHECK(store.barrier(1, "/b", 1) == true);
  CHECK(store.barrier(1, "/b", 0) == true);
  CHECK(store.barrier(1, "/b", -5) == true);
  CHECK(store.get("/b") == "3");
}

TEST_CASE("whoever comes late to a barrier is let through at once") {
  Store store;
  store.barrier(1, "/b", 2);
  store.barrier(2, "/b", 2);
  store.take_woken();
  CHECK(store.barrier(3, "/b", 2) == true);
  CHECK_FALSE(store.has_woken());
}

TEST_CASE(
    "before a barrier is complete it wakes nobody, and then everybody who waits for its key") {
  Store store;
  wait(store, 9, {"/b"});
  CHECK(store.barrier(1, "/b", 2) == false);
  CHECK_FALSE(store.has_woken());
  CHECK(store.barrier(2, "/b", 2) == true);
  CHECK(store.take_woken() == Clients{9, 1});
}

TEST_CASE("one who gives up at a barrier has been counted all the same") {
  Store store;
  store.barrier(1, "/b", 2);
  store.stop_waiting(1);
  CHECK(store.get("/b") == "1");
  CHECK(store.barrier(2, "/b", 2) == true);
  CHECK_FALSE(store.has_woken());
}

TEST_CASE("a barrier counts on from the number that is there, and not from another text") {
  Store store;
  store.add("/b", 1);
  CHECK(store.barrier(1, "/b", 2) == true);
  store.set("/text", "text");
  CHECK(store.barrier(1, "/text", 2) == std::nullopt);
  CHECK(store.get("/text") == "text");
  store.set("/most", std::to_string(kMost));
  CHECK(store.barrier(1, "/most", 2) == std::nullopt);
  CHECK_FALSE(store.anybody_waits());
}

TEST_CASE("a client waits at one thing at a time, be it a key or a barrier") {
  Store store;
  wait(store, 1, {"/k"});
  CHECK(store.barrier(1, "/b", 2) == false);
  store.set("/k", "v");
  CHECK_FALSE(store.has_woken());
  CHECK_FALSE(wait(store, 1, {"/other"}));
  store.barrier(2, "/b", 2);
  CHECK_FALSE(store.has_woken());
  store.set("/other", "v");
  CHECK(store.take_woken() == Clients{1});

  wait(store, 1, {"/never"});
  store.barrier(1, "/c", 2);
  store.barrier(2, "/c", 2);
  CHECK(store.take_woken() == Clients{1});
  wait(store, 1, {"/never"});
  CHECK(store.barrier(1, "/d", 1) == true);
  CHECK_FALSE(store.anybody_waits());
}

TEST_CASE("what would be no sum wakes nobody") {
  Store store;
  store.set("/n", "text");
  wait(store, 1, {"/other"});
  CHECK_FALSE(store.add("/n", 1).has_value());
  CHECK_FALSE(store.has_woken());
}

TEST_CASE("whatever is waited for, given up and set in whatever order wakes whom it should") {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    play(seed);
  }
}
