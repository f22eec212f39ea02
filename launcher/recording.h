#pragma once

#include <optional>
#include <span>
#include <vector>

#include "check/finding.h"
#include "conclusion.h"
#include "coordination/message.h"
#include "diagnose/evidence.h"
#include "markers.h"
#include "plan/launch_plan.h"
#include "preparation.h"
#include "report/record.h"

/// What `train` writes into the run record before the workers and after them; the supervisor writes
/// what lies between. docs/run-record.md has the events.
namespace trainit {

/// The job's record, which masks its secrets; one that keeps nothing with `--record none`. Error:
/// it cannot be opened. `complain` is told once when a line cannot be written.
Result<report::RunRecord> open_record(const JobContext& context,
                                      report::RunRecord::Complain complain);

/// The event "start".
void record_start(const JobContext& context, report::RunRecord& record);

/// The event "hosts": all are there, after so long.
void record_meeting(const Preparation& preparation, sys::Duration waited,
                    report::RunRecord& record);

/// The event "hosts_stop": something on another host stops the workers here.
void record_hosts_stop(const coordination::message::Stop& why, report::RunRecord& record);

/// The events "evidence" and "restart": a round has ended, and another one of `most` at most
/// follows.
void record_restart(const Conclusion& conclusion, const coordination::message::Again& again,
                    int most, report::RunRecord& record);

/// Where the time of a host has gone.
struct Ledger {
  sys::TimePoint launched_at = {}, over_at = {};
  sys::Duration waited{};                 ///< for the other hosts, before the workers
  sys::TimePoint started_at = {};         ///< the first worker; the epoch: it has not
  sys::Duration trained{}, restarting{};  ///< in the rounds before the last, and between all
  sys::TimePoint failed_at = {};          ///< the round before the last

  /// Takes in the end of a round, in order.
  void count_round(const diagnose::HostEnd& end);
};
/// The event "ledger", of a ledger that has counted all rounds, of which `end` is the last.
void record_ledger(const Ledger& ledger, const diagnose::HostEnd& end, int gpus,
                   report::RunRecord& record);

/// The events "environment" and "plan". What all workers have in common is written once.
void record_plan(const JobContext& context, const LaunchPlan& plan, report::RunRecord& record);

/// The event "check".
void record_check(const check::Report& report, report::RunRecord& record);

/// The members of the events "evidence", one a worker that did not end with 0, in order of rank.
/// Their times count from `start`, when the first worker was started.
std::vector<Json::Object> evidence_events(std::span<const diagnose::Evidence> gathered,
                                          const diagnose::FirstCause& cause, sys::TimePoint start);

/// The events "evidence" and "outcome", once the markers are there. `stop_signal` is what the
/// platform asked to stop with, 0: it did not; `paths` is null where there are no markers.
void record_outcome(const Conclusion& conclusion, const Outcome& outcome, int stop_signal,
                    const Paths* paths, report::RunRecord& record);

/// The story of a job that failed before its first worker: "start", "check" where there was one,
/// "ledger" where other hosts were waited for, of which `ledger` knows since when and for how long,
/// and "outcome". It never fails, and makes no output directory where there is none.
void record_set_up_failure(const JobContext& context, const std::optional<check::Report>& preflight,
                           std::optional<Ledger> ledger, int gpus, const Outcome& outcome);

}  // namespace trainit
