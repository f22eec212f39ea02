#include "base/spelling.h"

#include <algorithm>
#include <utility>

namespace trainit {
namespace {

/// How many slips lead from one to the other. Row i of the table tells it for the first i
/// characters of `a`; only three rows are needed at a time.
std::size_t slips_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, last, row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t other = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + other});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

/// Of "--logs" the "logs".
std::size_t letters_of(std::string_view name) {
  return name.size() - std::min(name.find_first_not_of('-'), name.size());
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view name,
                                        const std::vector<std::string>& names) {
  constexpr std::size_t kLongest = 64;
  constexpr std::size_t kLettersForEachSlip = 3;
  std::optional<std::string> nearest;
  std::size_t fewest = kLongest;
  if (name.size() > kLongest) return nearest;
  for (const std::string& candidate : names) {
    const std::size_t slips = slips_between(name, candidate);
    if (slips >= fewest || slips * kLettersForEachSlip > letters_of(candidate)) continue;
    nearest = candidate;
    fewest = slips;
  }
  return nearest;
}

}  // namespace trainit
