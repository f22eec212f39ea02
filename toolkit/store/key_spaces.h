#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "store/store.h"

namespace trainit::store {

/// One key space, and which processes of the job it belongs to.
struct Space {
  Store store;
  int joined = 0;     ///< processes that called init_process_group in it
  bool left = false;  ///< one of them has closed its connection since
};

/// A process of the job as its connections name it: where it is and its pid. Clients before torch
/// 2.5 do not tell, and are nobody in particular: "".
using Process = std::string;

/// Which connection sees which keys.
///
/// From torch 2.6 on a process that destroys its group and makes a new one uses the keys of the
/// first again, and would read there where its peers listened before. So each process joins one
/// space after another: the first time the first one, and after it has closed all connections with
/// which it had joined, the next. Clients that do not tell who they are go on to the next space
/// once all `world_size` have joined and one has left.
class KeySpaces {
 public:
  using Handle = std::shared_ptr<Space>;

  /// `world_size` 0: not known, and there is one space for all.
  explicit KeySpaces(int world_size);

  /// The space of a connection that joins (the first ADD to "init/").
  Handle join(const Process& process);
  /// A connection that had joined is closed.
  void leave(const Process& process, const Handle& space);
  /// The space of a connection that does not join, such as a clone of one that did.
  Handle space_of(const Process& process) const;

 private:
  struct Member {
    std::size_t next = 0;  ///< the number of the space that it joins next
    int connections = 0;   ///< open ones that have joined, all to `space`
    Handle space;
  };

  Handle open(std::size_t number);
  std::size_t first_for_newcomer() const;

  int world_size_;
  std::size_t first_number_ = 0;  ///< of the first that is kept
  std::deque<Handle> spaces_;
  std::map<Process, Member> members_;
};

}  // namespace trainit::store
