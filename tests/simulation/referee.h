#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "coordination/message.h"
#include "schedule.h"

namespace trainit::simulation {

/// Hears what the leader's hub hears and says, and knows what it must not say. An answer is the
/// promise that was broken; empty: none was.
class Referee {
 public:
  explicit Referee(const Schedule& schedule) : schedule_(schedule) {}

  void hears(int host, const coordination::Message& message);
  void loses(int host);
  std::string says(int host, const coordination::Message& message);

  /// The round that runs, or is made ready for.
  int round() const { return round_; }
  bool is_between() const { return between_; }

 private:
  std::string judge(const coordination::message::Again& again);
  std::string judge(int host, const environment::Agreement& agreement);
  std::string judge(const diagnose::Verdict& outcome) const;
  std::string why_no_restart() const;

  const Schedule& schedule_;
  bool met_ = false, between_ = false, judged_ = false;
  int round_ = 0;
  bool stop_known_ = false, loss_known_ = false;
  std::set<int> gone_;
  std::set<int> ready_, agreed_;           ///< for this round
  std::map<int, int> first_ranks_;         ///< by host
  std::map<int, diagnose::HostEnd> ends_;  ///< of this round
  diagnose::Verdict failed_;               ///< what the round before ended with
};

}  // namespace trainit::simulation
