#include "supervise/rendezvous.h"

#include <doctest/doctest.h>

#include <limits>

using trainit::supervise::Rendezvous;
using Ranks = std::vector<int>;

TEST_CASE("whoever has not come is missing, by rank and not by number on this host") {
  Rendezvous rendezvous({8, 9, 10, 11});
  CHECK(rendezvous.workers() == 4);
  CHECK(rendezvous.join(0));
  CHECK(rendezvous.join(2));
  CHECK(rendezvous.joined() == 2);
  CHECK_FALSE(rendezvous.complete());
  CHECK(rendezvous.missing() == Ranks{9, 11});
  CHECK(rendezvous.describe() == "ranks 9 and 11 have not reached init_process_group");
  CHECK(rendezvous.join(1));
  CHECK(rendezvous.describe() == "rank 11 has not reached init_process_group");
  CHECK(rendezvous.join(3));
  CHECK(rendezvous.complete());
  CHECK(rendezvous.missing() == Ranks{});
}

TEST_CASE("a worker that comes a second time is no news") {
  Rendezvous rendezvous({0, 1});
  CHECK(rendezvous.join(1));
  CHECK_FALSE(rendezvous.join(1));
  CHECK(rendezvous.joined() == 1);
}

TEST_CASE("workers of whom nobody knows who they are are counted, and nobody is named") {
  Rendezvous rendezvous({0, 1, 2, 3});
  CHECK(rendezvous.join_nameless(1));
  CHECK(rendezvous.joined() == 1);
  CHECK(rendezvous.missing() == Ranks{});
  CHECK(rendezvous.describe() == "3 of 4 workers have not reached init_process_group");
  CHECK(rendezvous.join(2));
  CHECK_FALSE(rendezvous.join_nameless(1));
  CHECK(rendezvous.join_nameless(2));
  CHECK_FALSE(rendezvous.join_nameless(-7));
  CHECK(rendezvous.describe() == "1 of 4 workers has not reached init_process_group");
  CHECK(rendezvous.join_nameless(std::numeric_limits<int>::max()));
  CHECK(rendezvous.complete());
  CHECK_FALSE(rendezvous.join_nameless(4));
  CHECK_FALSE(rendezvous.join(0));
  CHECK(rendezvous.joined() == 4);
}

TEST_CASE("when nobody has come, it is said what to do about that") {
  const Rendezvous rendezvous({0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(rendezvous.missing() == Ranks{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(rendezvous.describe() ==
        "none of the 8 workers has reached init_process_group: if they are not meant to work "
        "together, use --workers 1");
}
