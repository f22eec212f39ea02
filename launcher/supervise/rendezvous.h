#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace trainit::supervise {

/// Which workers have come to init_process_group, as far as their torch tells: from 2.5 on it says
/// its pid, before that it is only known how many were there at once. Pure.
class Rendezvous {
 public:
  /// `ranks` of this host's workers, by local rank.
  explicit Rendezvous(std::vector<int> ranks);

  /// Worker `index` has come. Tells whether that was news.
  bool join(int index);
  /// So many have come at least of whom nobody knows which they are. Tells whether that was news.
  bool join_nameless(int count);

  int workers() const { return static_cast<int>(ranks_.size()); }
  int joined() const;
  bool complete() const { return joined() == workers(); }
  /// Who has not; empty when some came of whom it is not known who they are.
  std::vector<int> missing() const;

  /// "ranks 5 and 9 have not reached init_process_group", "2 of 8 workers have not …"; when nobody
  /// has come, what to do about that.
  std::string describe() const;

 private:
  std::vector<int> ranks_;
  std::vector<bool> came_;
  int nameless_ = 0;
};

}  // namespace trainit::supervise
