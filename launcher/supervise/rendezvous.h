#pragma once

#include <string>
#include <vector>

#include "coordination/host_ranks.h"

namespace trainit::supervise {

/// Which workers have come to init_process_group, as far as their torch tells: from 2.5 on it says
/// its pid, before that it is only known how many were there at once. Pure.
class Rendezvous {
 public:
  /// The workers of one host; or of all hosts of a job, in the order of their ranks, which are
  /// named with their hosts then. At least one.
  explicit Rendezvous(std::vector<coordination::HostRanks> hosts);

  /// The worker of this rank has come. Tells whether that was news; of nobody's rank it is not.
  bool join(int rank);
  /// So many have come at least of whom nobody knows which they are. Tells whether that was news.
  bool join_nameless(int count);

  int workers() const { return static_cast<int>(came_.size()); }
  int joined() const;
  bool complete() const { return joined() == workers(); }
  /// Who has not; empty when some came of whom it is not known who they are.
  std::vector<int> missing() const;

  /// "ranks 5 and 9 have not reached init_process_group", with several hosts "ranks 2–3 (algo-2)
  /// and 5 (algo-3) have not …"; "2 of 8 workers have not …"; when nobody has come, what to do
  /// about that. However many they are, it is a line.
  std::string describe() const;
  /// The same of those who are missing, also when nobody has come.
  std::string describe_missing() const;

 private:
  bool came(int rank) const { return came_[static_cast<std::size_t>(rank - first_rank())]; }
  int first_rank() const { return hosts_.front().first_rank; }
  std::string name_missing() const;

  std::vector<coordination::HostRanks> hosts_;
  std::vector<bool> came_;
  int named_ = 0;  ///< who have come
  int nameless_ = 0;
};

}  // namespace trainit::supervise
