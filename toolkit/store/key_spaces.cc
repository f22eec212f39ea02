#include "store/key_spaces.h"

#include <algorithm>

namespace trainit::store {
namespace {

/// How many are kept for processes that are behind the others. A group cannot be made without all
/// of its members, so that none is behind by more than one.
constexpr std::size_t kKept = 4;

}  // namespace

KeySpaces::KeySpaces(int world_size) : world_size_(world_size) { open(0); }

KeySpaces::Handle KeySpaces::open(std::size_t number) {
  while (number >= first_number_ + spaces_.size()) spaces_.push_back(std::make_shared<Space>());
  while (spaces_.size() > kKept) {
    spaces_.pop_front();  // connections that are still in it keep it
    ++first_number_;
  }
  return spaces_[number - first_number_];
}

/// Whoever joins for the first time belongs to those whose space is not full.
std::size_t KeySpaces::first_for_newcomer() const {
  for (std::size_t index = 0; index < spaces_.size(); ++index) {
    if (spaces_[index]->joined < world_size_) return first_number_ + index;
  }
  const std::size_t newest = first_number_ + spaces_.size() - 1;
  return spaces_.back()->left ? newest + 1 : newest;
}

KeySpaces::Handle KeySpaces::join(const Process& process) {
  if (world_size_ == 0) return spaces_.front();
  if (process.empty()) {
    Handle space = open(first_for_newcomer());
    ++space->joined;
    return space;
  }
  const bool known = members_.contains(process);
  Member& member = members_[process];
  if (member.connections++ > 0) return member.space;
  const std::size_t number = known ? std::max(member.next, first_number_) : first_for_newcomer();
  member.next = number + 1;
  member.space = open(number);
  ++member.space->joined;
  return member.space;
}

void KeySpaces::leave(const Process& process, const Handle& space) {
  space->left = true;
  const auto member = members_.find(process);
  if (member != members_.end()) --member->second.connections;
}

KeySpaces::Handle KeySpaces::space_of(const Process& process) const {
  const auto member = members_.find(process);
  return member != members_.end() ? member->second.space : spaces_.back();
}

}  // namespace trainit::store
