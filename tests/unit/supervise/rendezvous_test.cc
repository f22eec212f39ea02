#include "supervise/rendezvous.h"

#include <doctest/doctest.h>

#include <limits>

using trainit::coordination::HostRanks;
using trainit::supervise::Rendezvous;
using Ranks = std::vector<int>;

namespace {

Rendezvous one_host(int first_rank, int workers) {
  return Rendezvous({{"algo-1", first_rank, workers}});
}

/// So many hosts with four workers each, of whom these ranks have come.
Rendezvous hosts(int count, const Ranks& came) {
  std::vector<HostRanks> all;
  for (int host = 0; host < count; ++host)
    all.push_back({"algo-" + std::to_string(host + 1), 4 * host, 4});
  Rendezvous rendezvous(all);
  for (const int rank : came) rendezvous.join(rank);
  return rendezvous;
}

}  // namespace

TEST_CASE("whoever has not come is missing, by rank and not by number on this host") {
  Rendezvous rendezvous = one_host(8, 4);
  CHECK(rendezvous.workers() == 4);
  CHECK(rendezvous.join(8));
  CHECK(rendezvous.join(10));
  CHECK(rendezvous.joined() == 2);
  CHECK_FALSE(rendezvous.complete());
  CHECK(rendezvous.missing() == Ranks{9, 11});
  CHECK(rendezvous.describe() == "ranks 9 and 11 have not reached init_process_group");
  CHECK(rendezvous.join(9));
  CHECK(rendezvous.describe() == "rank 11 has not reached init_process_group");
  CHECK(rendezvous.join(11));
  CHECK(rendezvous.complete());
  CHECK(rendezvous.missing() == Ranks{});
}

TEST_CASE("a worker that comes a second time is no news, and nobody's rank is none") {
  Rendezvous rendezvous = one_host(2, 2);
  CHECK(rendezvous.join(3));
  CHECK_FALSE(rendezvous.join(3));
  for (const int rank :
       {-1, 0, 1, 4, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()})
    CHECK_FALSE(rendezvous.join(rank));
  CHECK(rendezvous.joined() == 1);
}

TEST_CASE("workers of whom nobody knows who they are are counted, and nobody is named") {
  Rendezvous rendezvous = one_host(0, 4);
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
  const Rendezvous rendezvous = one_host(0, 8);
  CHECK(rendezvous.missing() == Ranks{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(rendezvous.describe() ==
        "none of the 8 workers has reached init_process_group: if they are not meant to work "
        "together, use --workers 1");
  CHECK(rendezvous.describe_missing() == "ranks 0–7 have not reached init_process_group");
  CHECK(hosts(2, {}).describe() == rendezvous.describe());
}

TEST_CASE("with several hosts those who are missing are named with theirs") {
  CHECK(hosts(3, {0, 1, 2, 3, 4, 6, 7, 8, 10, 11}).describe() ==
        "ranks 5 (algo-2) and 9 (algo-3) have not reached init_process_group");
  CHECK(hosts(3, {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11}).describe() ==
        "rank 6 (algo-2) has not reached init_process_group");
  // Ranks that follow each other on one host are one range, but not those of two.
  CHECK(hosts(3, {0, 9, 10}).describe() ==
        "ranks 1–3 (algo-1), 4–7 (algo-2), 8 (algo-3) and 11 (algo-3) have not reached "
        "init_process_group");
  CHECK(hosts(3, {0, 9, 10}).missing() == Ranks{1, 2, 3, 4, 5, 6, 7, 8, 11});
  Rendezvous rendezvous = hosts(2, {5});
  rendezvous.join_nameless(1);
  CHECK(rendezvous.describe() == "6 of 8 workers have not reached init_process_group");
}

TEST_CASE("of very many who are missing the first are named, in one line") {
  CHECK(hosts(1000, {0, 4, 5}).describe() ==
        "ranks 1–3 (algo-1), 6–7 (algo-2), 8–11 (algo-3), 12–15 (algo-4), 16–19 (algo-5), 20–23 "
        "(algo-6), 24–27 (algo-7), 28–31 (algo-8) and 3968 more on 992 hosts have not reached "
        "init_process_group");
  CHECK(hosts(5, {1, 3, 5, 7, 9, 11, 13, 15, 17, 18, 19}).describe() ==
        "ranks 0 (algo-1), 2 (algo-1), 4 (algo-2), 6 (algo-2), 8 (algo-3), 10 (algo-3), 12 "
        "(algo-4), 14 (algo-4) and 1 more on 1 host have not reached init_process_group");
}
