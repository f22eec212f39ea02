#include "store/key_spaces.h"

#include <doctest/doctest.h>

#include <memory>

using namespace trainit::store;

namespace {

using Handle = KeySpaces::Handle;

/// A process of the job, which has one connection with which it joins.
class Member {
 public:
  Member(KeySpaces& spaces, Process name) : spaces_(spaces), name_(std::move(name)) {}

  Handle join() { return space_ = spaces_.join(name_); }
  void leave() { spaces_.leave(name_, *std::exchange(space_, nullptr)); }
  Handle join_again() {
    leave();
    return join();
  }

 private:
  KeySpaces& spaces_;
  Process name_;
  Handle space_;
};

}  // namespace

TEST_CASE("all processes of the job join the same space") {
  KeySpaces spaces(3);
  const Handle first = spaces.join("host 1");
  CHECK(first->present() == 1);
  CHECK(spaces.join("host 2") == first);
  CHECK(spaces.join("other host 1") == first);
  CHECK(first->present() == 3);
}

TEST_CASE("a process that joins again gets fresh keys, and meets those who do the same") {
  KeySpaces spaces(3);
  Member a(spaces, "a"), b(spaces, "b"), c(spaces, "c");
  const Handle first = a.join();
  b.join();
  c.join();
  first->store.set("/k", "old");
  const Handle second = b.join_again();
  CHECK(second != first);
  CHECK(second->store.size() == 0);
  CHECK(c.join_again() == second);
  CHECK(a.join_again() == second);
  CHECK(second->present() == 3);
  CHECK(first->store.get("/k") == "old");
}

TEST_CASE("a process that leaves a space before it was full comes back to it") {
  KeySpaces spaces(3);
  Member a(spaces, "a"), b(spaces, "b"), c(spaces, "c"), helper(spaces, "helper");
  const Handle first = a.join();
  CHECK(a.join_again() == first);
  CHECK(b.join() == first);
  // Those who are there wait for the third. That is not this one.
  const std::string_view keys[] = {"/address of c"};
  first->store.wait(1, keys);
  CHECK(helper.join() == first);
  helper.leave();
  CHECK(c.join() == first);
}

TEST_CASE("some processes may make a group without the others, and a second one") {
  KeySpaces spaces(4);
  Member a(spaces, "a"), b(spaces, "b");
  const Handle first = a.join();
  b.join();
  const Handle second = b.join_again();
  CHECK(second != first);
  CHECK(a.join_again() == second);
}

TEST_CASE("nobody goes on while somebody waits in the space that he has left") {
  KeySpaces spaces(2);
  Member a(spaces, "a"), b(spaces, "b");
  const Handle first = a.join();
  b.join();
  const std::string_view keys[] = {"/address of b"};
  first->store.wait(1, keys);
  CHECK(b.join_again() == first);
  Member more(spaces, "c");
  b.leave();
  CHECK(more.join() == first);
  more.leave();
  first->store.stop_waiting(1);
  CHECK(b.join() != first);
}

TEST_CASE("a process whose connection is held open goes on once another has left") {
  KeySpaces spaces(2);
  Member held(spaces, "a"), other(spaces, "b");
  const Handle first = held.join();
  other.join();
  CHECK(spaces.join("a") == first);  // one more, while the group lives
  spaces.leave("a", *first);
  const Handle second = other.join_again();
  CHECK(second != first);
  CHECK(spaces.join("a") == second);
}

TEST_CASE("as long as one of its connections is open, a process joins the same space") {
  KeySpaces spaces(2);
  const Handle first = spaces.join("a");
  spaces.join("b");
  CHECK(spaces.join("a") == first);
  CHECK(first->present() == 2);
  spaces.leave("a", *first);
  CHECK(spaces.join("a") == first);
  spaces.leave("a", *first);
  spaces.leave("a", *first);
  CHECK(spaces.join("a") != first);
}

TEST_CASE("a connection that does not join sees what its process has joined") {
  KeySpaces spaces(2);
  const Handle first = spaces.join("a");
  spaces.join("b");
  spaces.leave("b", *first);
  const Handle second = spaces.join("b");
  CHECK(spaces.space_of("a") == first);
  CHECK(spaces.space_of("b") == second);
  spaces.leave("b", *second);
  CHECK(spaces.space_of("b") == second);
}

TEST_CASE("a connection of a process that has never joined sees the newest keys") {
  KeySpaces spaces(1);
  CHECK(spaces.space_of("a tool") == spaces.space_of(""));
  Member a(spaces, "a");
  const Handle first = a.join();
  CHECK(spaces.space_of("a tool") == first);
  const Handle second = a.join_again();
  CHECK(spaces.space_of("a tool") == second);
  CHECK(spaces.space_of("") == second);
}

TEST_CASE("a process that comes for the first time belongs where not all have come") {
  KeySpaces spaces(2);
  Member a(spaces, "a"), b(spaces, "b");
  const Handle first = a.join();
  SUBCASE("before the others have gone on") { CHECK(b.join() == first); }
  SUBCASE("after all have joined and one has left: it takes that one's place in the next") {
    b.join();
    const Handle second = b.join_again();
    Member instead_of_a(spaces, "c");
    CHECK(instead_of_a.join() == second);
  }
  SUBCASE("after all have joined and one has left, and no one has gone on") {
    b.join();
    a.leave();
    Member instead_of_a(spaces, "c");
    const Handle second = instead_of_a.join();
    CHECK(second != first);
    CHECK(b.join_again() == second);
  }
  SUBCASE("after all have joined and none has left: it is one too many") {
    b.join();
    Member more(spaces, "c");
    CHECK(more.join() == first);
  }
}

TEST_CASE("clients that do not tell who they are go on when all have joined and one has left") {
  KeySpaces spaces(2);
  const Handle first = spaces.join("");
  CHECK(spaces.join("") == first);
  CHECK(first->present() == 2);
  spaces.leave("", *first);
  const Handle second = spaces.join("");
  CHECK(second != first);
  spaces.leave("", *first);
  CHECK(spaces.join("") == second);
  spaces.leave("", *second);
  CHECK(spaces.join("") != second);
}

TEST_CASE("clients that do not tell who they are stay where not all have joined") {
  KeySpaces spaces(3);
  const Handle first = spaces.join("");
  spaces.join("");
  spaces.leave("", *first);
  CHECK(spaces.join("") == first);
}

TEST_CASE("one more than all who does not tell who it is shares the keys until somebody leaves") {
  KeySpaces spaces(2);
  const Handle first = spaces.join("");
  spaces.join("");
  CHECK(spaces.join("") == first);
  CHECK(first->present() == 3);
}

TEST_CASE("where it is not known how many there are, there is one space for all") {
  KeySpaces spaces(0);
  const Handle only = spaces.join("a");
  CHECK(spaces.join("") == only);
  spaces.leave("a", *only);
  CHECK(spaces.join("a") == only);
  CHECK(spaces.space_of("a") == only);
  CHECK(spaces.space_of("b") == only);
}

TEST_CASE("a process that left before it met anybody belongs to those who come then") {
  KeySpaces spaces(3);
  Member a(spaces, "a"), b(spaces, "b"), c(spaces, "c");
  const Handle first = a.join();
  a.leave();
  CHECK(b.join() == first);
  CHECK(c.join() == first);
  CHECK(a.join() == first);
}

TEST_CASE("nothing is remembered of processes that have met nobody, or whose space is gone") {
  for (const int world_size : {0, 1, 3}) {
    CAPTURE(world_size);
    KeySpaces spaces(world_size);
    for (int number = 0; number < 100; ++number) {
      Member passer(spaces, std::to_string(number));
      passer.join();
      passer.leave();
    }
    CHECK(spaces.remembered() == (world_size == 1 ? 4 : 0));
  }
}

TEST_CASE("spaces are kept no longer than somebody can come to them") {
  KeySpaces spaces(1);
  Member a(spaces, "a");
  std::vector<std::weak_ptr<Space>> joined{a.join()};
  for (int round = 1; round < 100; ++round) joined.push_back(a.join_again());
  for (int round = 0; round < 96; ++round) CHECK(joined[static_cast<std::size_t>(round)].expired());
  for (int round = 96; round < 100; ++round)
    CHECK_FALSE(joined[static_cast<std::size_t>(round)].expired());
}

TEST_CASE("a space that is not kept any more is there for those who are still in it") {
  KeySpaces spaces(1);
  const Handle first = spaces.join("behind");
  first->store.set("/k", "v");
  Member ahead(spaces, "ahead");
  ahead.join();
  spaces.leave("behind", *first);
  for (int round = 0; round < 20; ++round) ahead.join_again();
  CHECK(spaces.space_of("behind") == first);
  CHECK(spaces.space_of("behind")->store.get("/k") == "v");
  CHECK(spaces.join("behind") != first);
}
