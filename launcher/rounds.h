#pragma once

#include <memory>
#include <optional>

#include "base/log.h"
#include "check/finding.h"
#include "coordination/peers.h"
#include "logs/relay.h"
#include "output.h"
#include "preparation.h"
#include "recording.h"
#include "report/record.h"
#include "round.h"
#include "sys/event_loop.h"
#include "sys/inheritance.h"

namespace trainit {

/// The workers of this host from their first start to the end of the job: round after round, and
/// then what is left behind.
class Rounds {
 public:
  /// All of them outlive this.
  struct Parts {
    sys::EventLoop& loop;
    sys::Inheritance& inheritance;
    const JobContext& context;
    Preparation& preparation;  ///< whose agreement is that of the round that runs
    Logger& log;
    coordination::Peers* peers;  ///< null: this host is alone
    const std::optional<sys::Credentials>& user;
    const std::optional<check::Report>& preflight;
    bool markers;                ///< there is a place for the markers of success and failure
    sys::TimePoint launched_at;  ///< this process
    sys::Duration waited_for_hosts;
  };
  explicit Rounds(const Parts& parts);

  /// Returns the job's exit code, with the marker and the record written. Error: no worker was ever
  /// started.
  Result<int> run();

 private:
  Result<std::unique_ptr<Round>> plan_round() const;
  void open(const LaunchPlan& plan);
  Result<int> run_all(std::unique_ptr<Round>& round);
  Result<void> run(Round& round);
  supervise::Supervisor::Peers told_peers();
  void lose_store(const sys::ExitStatus& status);
  void stop_for_peers(const coordination::message::Stop& why, supervise::Supervisor& supervisor);
  diagnose::Judgement judge(supervise::Supervisor& supervisor);
  diagnose::Judgement judge_alone();
  diagnose::Judgement judge_with_peers(supervise::Supervisor& supervisor);
  diagnose::Judgement judgement_of_job() const;
  bool is_end_of_others(const diagnose::Judgement& judgement) const;
  void end_round(const Conclusion& conclusion);
  bool is_given_up() const;
  Result<std::unique_ptr<Round>> restart();
  Result<void> agree_again();
  diagnose::Judgement give_up(const Error& why);
  int leave_unstarted(const Error& error, const Round& round);
  void warn_of_empty_model() const;
  int leave(Conclusion conclusion, const Round& round);

  Parts parts_;
  report::RunRecord record_;
  std::optional<logs::Relay> relay_;
  std::optional<RelayedLog> relayed_;
  Ledger ledger_;
  int begun_ = 0;                   ///< rounds whose workers were started
  diagnose::HostEnd own_;           ///< how this host's part of the last round ended
  bool stopped_for_peers_ = false;  ///< in it, before anything was wrong here
  std::optional<coordination::message::Again> again_;  ///< the round is over, and another follows
};

}  // namespace trainit
