#include "supervise/rendezvous.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace trainit::supervise {
namespace {

/// Ranks of one host that follow each other count as one.
constexpr std::size_t kMostNamed = 8;

}  // namespace

Rendezvous::Rendezvous(std::vector<coordination::HostRanks> hosts) : hosts_(std::move(hosts)) {
  std::size_t workers = 0;
  for (const coordination::HostRanks& host : hosts_)
    workers += static_cast<std::size_t>(host.workers);
  came_.resize(workers);
}

bool Rendezvous::join(int rank) {
  if (rank < first_rank() || rank - first_rank() >= workers() || came(rank)) return false;
  const int before = joined();
  came_[static_cast<std::size_t>(rank - first_rank())] = true;
  ++named_;
  return joined() != before;
}

bool Rendezvous::join_nameless(int count) {
  const int before = joined();
  nameless_ = std::clamp(count, nameless_, workers());
  return joined() != before;
}

int Rendezvous::joined() const { return std::min(named_ + nameless_, workers()); }

std::vector<int> Rendezvous::missing() const {
  std::vector<int> ranks;
  for (int index = 0; nameless_ == 0 && index < workers(); ++index) {
    if (!came(first_rank() + index)) ranks.push_back(first_rank() + index);
  }
  return ranks;
}

std::string Rendezvous::name_missing() const {
  if (hosts_.size() == 1) return name_ranks(missing());
  std::vector<std::string> named;
  int others = 0, hosts_of_others = 0;
  for (const auto& [host, first_rank, count] : hosts_) {
    const int others_before = others, end = first_rank + count;
    for (int rank = first_rank; rank < end; ++rank) {
      if (came(rank)) continue;
      const int first = rank;
      while (rank + 1 < end && !came(rank + 1)) ++rank;
      if (named.size() == kMostNamed) {
        others += rank - first + 1;
      } else {
        const std::string last = rank == first ? "" : "–" + std::to_string(rank);
        named.push_back(fmt::format("{}{} ({})", first, last, host));
      }
    }
    if (others != others_before) ++hosts_of_others;
  }
  if (others > 0) {
    named.push_back(fmt::format("{} more on {} host{}", others, hosts_of_others,
                                hosts_of_others == 1 ? "" : "s"));
  }
  const std::string last = std::move(named.back());
  named.pop_back();
  return (workers() - joined() == 1 ? "rank " : "ranks ") + trainit::join(named, ", ") +
         (named.empty() ? "" : " and ") + last;
}

std::string Rendezvous::describe_missing() const {
  return fmt::format("{} {} not reached init_process_group", name_missing(),
                     workers() - joined() == 1 ? "has" : "have");
}

std::string Rendezvous::describe() const {
  if (joined() == 0) {
    return fmt::format(
        "none of the {} workers has reached init_process_group: if they are not "
        "meant to work together, use --workers 1",
        workers());
  }
  if (nameless_ == 0) return describe_missing();
  const int count = workers() - joined();
  return fmt::format("{} of {} workers {} not reached init_process_group", count, workers(),
                     count == 1 ? "has" : "have");
}

}  // namespace trainit::supervise
