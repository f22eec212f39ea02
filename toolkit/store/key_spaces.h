#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "store/store.h"

namespace trainit::store {

/// A process of the job as its connections name it: where it is and its pid. Clients before torch
/// 2.5 do not tell, and each of their connections is nobody in particular: "".
using Process = std::string;

/// One key space, and who is in it.
struct Space {
  Store store;
  std::map<Process, int> members;  ///< open connections of each process that has joined
  int nameless = 0;                ///< open connections of nobody in particular that have joined
  bool met = false;                ///< two were in it at once, or the only one that there is
  bool full = false;               ///< all processes of the job were

  int present() const { return static_cast<int>(members.size()) + nameless; }
};

/// Which connection sees which keys.
///
/// From torch 2.6 on a process that destroys its group and makes a new one uses the keys of the
/// first again, and would read there where its peers listened before. So the second group gets a
/// space of its own. Who comes back after he has left goes on to the next space, when he had met
/// others and nobody waits in the one that he left (of a group that is complete nobody waits any
/// more). Who comes for the first time, or is still there, belongs to the newest space, and goes on
/// only when all `world_size` processes have been in that, and somebody has left. Who left without
/// having met anybody, or so long ago that nobody is where he was, is as one who comes for the
/// first time, so that it costs nothing to have had many processes.
class KeySpaces {
 public:
  using Handle = std::shared_ptr<Space>;

  /// `world_size` 0: not known, and there is one space for all.
  explicit KeySpaces(int world_size);

  /// The space of a connection that joins (the first ADD to "init/").
  Handle join(const Process& process);
  /// A connection that had joined is closed.
  void leave(const Process& process, Space& space);
  /// The space of a connection that does not join, such as a clone of one that did.
  Handle space_of(const Process& process) const;

  /// Of how many processes it is known what they have joined.
  std::size_t remembered() const { return last_joined_.size(); }

 private:
  std::size_t newest() const { return first_number_ + spaces_.size() - 1; }
  const Handle& at(std::size_t number) const { return spaces_[number - first_number_]; }
  std::size_t number_for(const Process& process) const;
  bool is_over(const Space& space) const;
  void open(std::size_t number);
  void forget(const Process& process, const Space& space);

  int world_size_;
  std::size_t first_number_ = 0;  ///< of the first that is kept
  std::deque<Handle> spaces_;
  /// What a process has joined last.
  struct Joined {
    std::size_t number = 0;
    std::weak_ptr<Space> space;
  };
  std::map<Process, Joined> last_joined_;  ///< of those who have met others, or are there
};

}  // namespace trainit::store
