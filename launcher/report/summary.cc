#include "report/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/text.h"

namespace trainit::report {
namespace {

constexpr std::size_t kShown = 16;

using Row = std::array<std::string, 5>;

/// "2.3 s", "0:48", "6:12", "2:05:00".
std::string clock_text(sys::Duration duration) {
  const double seconds = sys::in_seconds(duration);
  if (seconds < 9.95) return human_seconds(seconds);
  const long whole = std::lround(seconds);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string memory_text(long kib) {
  return kib <= 0 ? "" : human_bytes(static_cast<std::uint64_t>(kib) * 1024);
}

Row row_of(const WorkerSummary& worker) {
  return {std::to_string(worker.rank), worker.pid <= 0 ? "-" : std::to_string(worker.pid),
          worker.ended, clock_text(worker.after), memory_text(worker.max_memory_kib)};
}

/// Numbers to the right, words to the left, and nothing at the end of a line.
std::vector<std::string> in_columns(const std::vector<Row>& rows) {
  std::array<std::size_t, 5> width{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  std::vector<std::string> lines;
  for (const Row& row : rows) {
    const std::string line =
        fmt::format("  {:>{}}  {:>{}}  {:<{}}  {:<{}}  {}", row[0], width[0], row[1], width[1],
                    row[2], width[2], row[3], width[3], row[4]);
    lines.push_back(line.substr(0, line.find_last_not_of(' ') + 1));
  }
  return lines;
}

std::string most_common_end(std::span<const WorkerSummary> workers) {
  std::map<std::string, int> count;
  for (const WorkerSummary& worker : workers) ++count[worker.ended];
  const auto most = std::max_element(
      count.begin(), count.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == count.end() ? "" : most->first;
}

std::string range_text(const std::string& least, const std::string& most) {
  return least == most ? least : least + "–" + most;
}

/// "  the other 62: ended 0 after 6:10–6:12, peak memory 3.0 GB–3.2 GB"
std::string rest_line(std::span<const WorkerSummary* const> rest, bool all) {
  const auto [soonest, latest] = std::minmax_element(
      rest.begin(), rest.end(), [](auto* a, auto* b) { return a->after < b->after; });
  const auto [least, most] = std::minmax_element(rest.begin(), rest.end(), [](auto* a, auto* b) {
    return a->max_memory_kib < b->max_memory_kib;
  });
  std::string line = fmt::format(
      "  {} {}: ended {} after {}", all ? "all" : "the other", rest.size(), rest.front()->ended,
      range_text(clock_text((*soonest)->after), clock_text((*latest)->after)));
  if ((*most)->max_memory_kib > 0) {
    line += ", peak memory " +
            range_text(memory_text((*least)->max_memory_kib), memory_text((*most)->max_memory_kib));
  }
  return line;
}

}  // namespace

std::vector<std::string> summary_lines(std::span<const WorkerSummary> workers) {
  const bool every = workers.size() <= kShown;
  const std::string common = every ? "" : most_common_end(workers);
  std::vector<Row> rows{{"rank", "pid", "ended", "after", "peak memory"}};
  std::vector<const WorkerSummary*> rest;
  std::size_t left_out = 0;
  for (const WorkerSummary& worker : workers) {
    if (!every && worker.ended == common) {
      rest.push_back(&worker);
    } else if (rows.size() <= kShown) {
      rows.push_back(row_of(worker));
    } else {
      ++left_out;
    }
  }
  std::vector<std::string> lines = rows.size() > 1 ? in_columns(rows) : std::vector<std::string>();
  if (left_out > 0) lines.push_back(fmt::format("  and {} more that ended differently", left_out));
  if (!rest.empty()) lines.push_back(rest_line(rest, rest.size() == workers.size()));
  return lines;
}

}  // namespace trainit::report
