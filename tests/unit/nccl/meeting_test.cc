#include "nccl/meeting.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "../store/served_store.h"

using namespace std::chrono_literals;
using trainit::Result;
using trainit::StoreClient;
using trainit::nccl::Meeting;
using trainit::nccl::Party;
using trainit::nccl::Patience;

namespace {

Patience patience_of(std::chrono::milliseconds timeout, std::function<bool()> stop = {}) {
  return {timeout, trainit::sys::Clock::now() + timeout, std::move(stop)};
}

/// One rank: what it has of the id, or the error. `id` empty: another rank makes it.
Result<std::string> meet(StoreClient& store, Party party, Patience patience,
                         const std::string& id = "") {
  auto meeting = TRAINIT_TRY(Meeting::open(store, std::move(party), std::move(patience)));
  TRAINIT_TRY(meeting.come());
  if (id.empty()) return meeting.receive();
  TRAINIT_TRY(meeting.hand_out(id));
  return id;
}

StoreClient client_of(const ServedStore& store) {
  auto client = StoreClient::connect("127.0.0.1", store.port(), 20s);
  REQUIRE(client);
  return std::move(*client);
}

/// Two ranks of a party, each with a thread and a client of its own.
struct Pair {
  explicit Pair(const ServedStore& store) : first(client_of(store)), second(client_of(store)) {}

  void meet_as(const std::vector<int>& ranks, Patience patience, const std::string& id) {
    std::thread other([&] { heard = meet(second, {"pair", ranks, 1}, patience); });
    made = meet(first, {"pair", ranks, 0}, patience, id);
    other.join();
  }

  StoreClient first, second;
  Result<std::string> made = "", heard = "";
};

}  // namespace

TEST_CASE("all ranks get what the first one hands out, as bytes, each time anew") {
  const ServedStore store;
  Pair pair(store);
  for (const std::string& id : {std::string("a\0\n\xff", 4), std::string("b")}) {
    pair.meet_as({7, 3}, patience_of(20s), id);
    REQUIRE(pair.heard);
    CHECK(*pair.heard == id);
    CHECK(*pair.made == id);
  }
}

TEST_CASE("the same ranks in another order are another party") {
  const ServedStore store;
  Pair pair(store);
  StoreClient third = client_of(store);
  std::thread other([&] { (void)meet(third, {"pair", {3, 7}, 0}, patience_of(300ms), "wrong"); });
  pair.meet_as({7, 3}, patience_of(20s), "right");
  other.join();
  CHECK(pair.heard.value_or("") == "right");
}

TEST_CASE("the first rank makes no id before all have come, and the missing are named") {
  const ServedStore store;
  StoreClient alone = client_of(store);
  const auto met = meet(alone, {"world", {0, 1, 2, 3, 5}, 0}, patience_of(200ms), "id");
  REQUIRE_FALSE(met);
  CHECK(met.error().message ==
        "ranks 1–3 and 5 have not come to the communicator \"world\" within 0.2 s");
}

TEST_CASE("a first rank that never makes its id is named") {
  const ServedStore store;
  StoreClient first = client_of(store), second = client_of(store);
  auto meeting = Meeting::open(first, {"world", {4, 2}, 0}, patience_of(20s));
  REQUIRE(meeting);
  std::thread other([&] { CHECK(meeting->come()); });
  const auto met = meet(second, {"world", {4, 2}, 1}, patience_of(500ms));
  other.join();
  REQUIRE_FALSE(met);
  CHECK(met.error().message ==
        "rank 4 has not made the id of the communicator \"world\" within 0.5 s");
  // Too late now, and it is told why.
  CHECK(meeting->hand_out("id").error().message == met.error().message);
}

TEST_CASE("who gives up ends the wait of those who have come, and of those who come later") {
  const ServedStore store;
  Pair pair(store);
  StoreClient third = client_of(store);
  const Party party{"world", {0, 1, 2}, 2};
  auto meeting = Meeting::open(third, party, patience_of(20s));
  std::thread early([&] {
    pair.made = meet(pair.first, {"world", {0, 1, 2}, 0}, patience_of(600s), "id");
  });
  const trainit::Error error{"it rains"};
  CHECK(meeting->give_up(error).value().message == "the communicator \"world\": it rains");
  early.join();
  pair.heard = meet(pair.second, {"world", {0, 1, 2}, 1}, patience_of(600s));
  const std::string told = "rank 2 could not make the communicator \"world\": it rains";
  CHECK(pair.made.error().message == told);
  CHECK(pair.heard.error().message == told);
}

TEST_CASE("what went wrong after the id was there is told to who looks") {
  const ServedStore store;
  StoreClient first = client_of(store), second = client_of(store);
  auto one = Meeting::open(first, {"world", {0, 1}, 0}, patience_of(600s));
  auto other = Meeting::open(second, {"world", {0, 1}, 1}, patience_of(600s));
  CHECK(other->come());
  CHECK(one->come());
  CHECK(one->hand_out("id"));
  CHECK(other->receive());
  CHECK(other->go_on());
  one->give_up({"first"});
  Result<void> end;
  while ((end = other->go_on())) std::this_thread::sleep_for(1ms);
  CHECK(end.error().message == "rank 0 could not make the communicator \"world\": first");
  // The reason stays the first, also for who has one of its own.
  CHECK(other->give_up(end.error()).value().message == end.error().message);
  CHECK(other->give_up({"second"}).value().message == end.error().message);
}

TEST_CASE("of two that give up before the id is there, the first has the reason") {
  const ServedStore store;
  StoreClient first = client_of(store), second = client_of(store);
  auto one = Meeting::open(first, {"world", {0, 1}, 0}, patience_of(600s));
  auto other = Meeting::open(second, {"world", {0, 1}, 1}, patience_of(600s));
  CHECK(one->give_up({"first"}).value().message == "the communicator \"world\": first");
  CHECK(other->give_up({"second"}).value().message ==
        "rank 0 could not make the communicator \"world\": first");
}

TEST_CASE("a rank that is told to stop tells the others") {
  const ServedStore store;
  Pair pair(store);
  std::atomic<bool> stop = false;
  std::thread one([&] {
    pair.heard = meet(pair.second, {"world", {0, 1, 2}, 1}, patience_of(600s));
  });
  std::thread other([&] {
    const auto stopped = [&] { return stop.load(); };
    pair.made = meet(pair.first, {"world", {0, 1, 2}, 0}, patience_of(600s, stopped), "id");
  });
  std::this_thread::sleep_for(50ms);
  stop = true;
  one.join();
  other.join();
  const std::string told = "rank 0 was told to stop before the communicator \"world\" was made";
  CHECK(pair.made.error().message == told);
  CHECK(pair.heard.error().message == told);
}

TEST_CASE("the client has its own time back, and a store that is gone is an error") {
  ServedStore store;
  StoreClient client = client_of(store);
  {
    auto meeting = Meeting::open(client, {"world", {0, 1}, 0}, patience_of(100ms));
    CHECK_FALSE(meeting->come());
  }
  CHECK(client.timeout() == 20s);
  auto meeting = Meeting::open(client, {"other", {0, 1}, 0}, patience_of(600s));
  std::thread killer([&] {
    std::this_thread::sleep_for(50ms);
    store.end();
  });
  const Result<void> come = meeting->come();
  killer.join();
  REQUIRE_FALSE(come);
  CHECK(come.error().message.find("the rendezvous store at ") != std::string::npos);
}
