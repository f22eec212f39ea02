#include "report/summary.h"

#include <doctest/doctest.h>

using namespace trainit;
using namespace trainit::report;
using namespace std::chrono_literals;

namespace {

std::vector<WorkerSummary> healthy(int count) {
  std::vector<WorkerSummary> workers;
  for (int i = 0; i < count; ++i) workers.push_back({i, 31 + i, "0", 372s, 3L << 20});
  return workers;
}

}  // namespace

TEST_CASE("a line a worker, in columns under a headline") {
  std::vector<WorkerSummary> workers = healthy(2);
  workers[1].ended = "SIGSEGV";
  workers[1].pid = 12345;
  workers[1].after = 7505s;
  workers[1].max_memory_kib = 350 * 1024;
  CHECK(summary_lines(workers) == std::vector<std::string>{
                                      "  rank    pid  ended    after    peak memory",
                                      "     0     31  0        6:12     3.0 GB",
                                      "     1  12345  SIGSEGV  2:05:05  350 MB",
                                  });
}

TEST_CASE("a worker that never ran has no pid and no memory") {
  CHECK(summary_lines(std::vector<WorkerSummary>{{0, 0, "127", 0s, 0}}) ==
        std::vector<std::string>{"  rank  pid  ended  after  peak memory",  //
                                 "     0    -  127    0.0 s"});
}

TEST_CASE("sixteen workers are shown one by one, seventeen alike in one line") {
  CHECK(summary_lines(healthy(16)).size() == 17);
  CHECK(summary_lines(healthy(17)) ==
        std::vector<std::string>{"  all 17: ended 0 after 6:12, peak memory 3.0 GB"});
}

TEST_CASE("of many workers those that differ are shown, and a line for the rest with its ranges") {
  std::vector<WorkerSummary> workers = healthy(64);
  workers[5].ended = "1";
  workers[7].after = 375s;
  workers[9].max_memory_kib = 4L << 20;
  CHECK(summary_lines(workers) ==
        std::vector<std::string>{
            "  rank  pid  ended  after  peak memory", "     5   36  1      6:12   3.0 GB",
            "  the other 63: ended 0 after 6:12–6:15, peak memory 3.0 GB–4.0 GB"});
}

TEST_CASE("the block stays short when very many differ") {
  std::vector<WorkerSummary> workers = healthy(64);
  for (int i = 0; i < 30; ++i) workers[static_cast<std::size_t>(i)].ended = "1";
  const auto lines = summary_lines(workers);
  REQUIRE(lines.size() == 1 + 16 + 2);
  CHECK(lines[17] == "  and 14 more that ended differently");
}

TEST_CASE("no workers, no lines") { CHECK(summary_lines({}).empty()); }
