#include "supervise/rendezvous.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace trainit::supervise {
Rendezvous::Rendezvous(std::vector<int> ranks) : ranks_(std::move(ranks)), came_(ranks_.size()) {}

bool Rendezvous::join(int index) {
  const int before = joined();
  came_[static_cast<std::size_t>(index)] = true;
  return joined() != before;
}

bool Rendezvous::join_nameless(int count) {
  const int before = joined();
  nameless_ = std::clamp(count, nameless_, workers());
  return joined() != before;
}

int Rendezvous::joined() const {
  const auto named = std::count(came_.begin(), came_.end(), true);
  return std::min(static_cast<int>(named) + nameless_, workers());
}

std::vector<int> Rendezvous::missing() const {
  std::vector<int> ranks;
  for (std::size_t index = 0; nameless_ == 0 && index < ranks_.size(); ++index) {
    if (!came_[index]) ranks.push_back(ranks_[index]);
  }
  return ranks;
}

std::string Rendezvous::describe() const {
  if (joined() == 0) {
    return fmt::format(
        "none of the {} workers has reached init_process_group: if they are not "
        "meant to work together, use --workers 1",
        workers());
  }
  const std::vector<int> ranks = missing();
  if (ranks.empty()) {
    const int count = workers() - joined();
    return fmt::format("{} of {} workers {} not reached init_process_group", count, workers(),
                       count == 1 ? "has" : "have");
  }
  return fmt::format("{} {} not reached init_process_group", name_ranks(ranks),
                     ranks.size() == 1 ? "has" : "have");
}

}  // namespace trainit::supervise
