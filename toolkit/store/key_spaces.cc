#include "store/key_spaces.h"

#include <algorithm>

namespace trainit::store {
namespace {

/// How many are kept for processes that are behind the others. A group cannot be made without all
/// of its members, so that none is behind by more than one.
constexpr std::size_t kKept = 4;

}  // namespace

KeySpaces::KeySpaces(int world_size) : world_size_(world_size) { open(0); }

void KeySpaces::open(std::size_t number) {
  while (number > newest() || spaces_.empty()) spaces_.push_back(std::make_shared<Space>());
  while (spaces_.size() > kKept) {
    spaces_.pop_front();  // connections that are still in it keep it
    ++first_number_;
    std::erase_if(last_joined_, [](const auto& joined) { return joined.second.space.expired(); });
  }
}

/// Whether the group that was made in a space is no more.
bool KeySpaces::is_over(const Space& space) const {
  return space.full && space.present() < world_size_ && !space.store.anybody_waits();
}

std::size_t KeySpaces::number_for(const Process& process) const {
  const auto last = last_joined_.find(process);
  // All but the newest have been full, so whoever comes for the first time belongs to that.
  const std::size_t number =
      last != last_joined_.end() ? std::max(last->second.number, first_number_) : newest();
  const Space& space = *at(number);
  const bool left = last != last_joined_.end() && !space.members.contains(process);
  const bool goes_on = left ? space.met && !space.store.anybody_waits() : is_over(space);
  return goes_on ? number + 1 : number;
}

KeySpaces::Handle KeySpaces::join(const Process& process) {
  const std::size_t number = world_size_ == 0 ? 0 : number_for(process);
  open(number);
  Handle space = at(number);
  if (process.empty()) {
    ++space->nameless;
  } else {
    ++space->members[process];
    if (world_size_ > 0) last_joined_[process] = {number, space};
  }
  if (space->present() >= world_size_) space->full = true;
  if (space->present() > 1 || space->full) space->met = true;
  return space;
}

void KeySpaces::leave(const Process& process, Space& space) {
  if (process.empty()) {
    --space.nameless;
  } else if (const auto member = space.members.find(process); --member->second == 0) {
    space.members.erase(member);
    if (!space.met) forget(process, space);
  }
}

void KeySpaces::forget(const Process& process, const Space& space) {
  const auto last = last_joined_.find(process);
  if (last != last_joined_.end() && last->second.space.lock().get() == &space)
    last_joined_.erase(last);
}

KeySpaces::Handle KeySpaces::space_of(const Process& process) const {
  const auto last = last_joined_.find(process);
  const Handle joined = last != last_joined_.end() ? last->second.space.lock() : nullptr;
  return joined ? joined : spaces_.back();
}

}  // namespace trainit::store
