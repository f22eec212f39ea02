#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "coordination/message.h"
#include "schedule.h"
#include "supervise/job_machine.h"
#include "timeline.h"

namespace trainit::simulation {

/// The launcher of a host, as a round of its workers knows it.
class Launcher {
 public:
  virtual ~Launcher() = default;
  virtual const std::string& name() const = 0;
  virtual sys::TimePoint clock() const = 0;
  virtual void note(const std::string& what) = 0;
  virtual void expect(bool promise, const std::string& broken) = 0;
  /// Calls it when the launcher runs; never, when it has gone.
  virtual void after(Micros delay, std::function<void()> what) = 0;
  virtual void worker_starts(int round, int worker) = 0;
  /// The workers of all hosts miss one that has failed.
  virtual void worker_missed() = 0;
  /// The workers stop, for a reason that lies here.
  virtual void tell_peers(diagnose::StopReason reason, int signal) = 0;
  /// No process of the round is left.
  virtual void round_over() = 0;
};

/// Whether a failure that names a worker's error is one of this round.
bool is_of_round(const std::string& failure, int round);

/// One life of a host's workers: the real machine, and the workers that the schedule tells of.
class Round {
 public:
  Round(Launcher& launcher, Timeline& timeline, const Schedule& schedule, int host,
        const environment::Agreement& agreement);

  /// `why`: another host's end or stop that has come already.
  void start(const std::optional<coordination::message::Stop>& why);
  void stop_for_peers(const coordination::message::Stop& why);
  void stop(int signal);
  /// False: the workers here did not need it any more.
  bool lose_store(sys::ExitStatus status);
  /// Somebody that the workers talk to is gone.
  void miss_peer();
  /// They go with all of the host.
  void die();

  int number() const { return number_; }
  int first_rank() const { return first_rank_; }
  bool has_workers() const;  ///< some run
  bool finished() const { return machine_.finished(); }
  const supervise::JobEnd& end() const { return machine_.end(); }
  /// Every worker ended with 0.
  bool went_well() const;
  diagnose::HostEnd host_end() const;
  std::optional<Micros> stopped_at() const { return stopped_at_; }
  std::optional<Micros> over_at() const { return over_at_; }
  Micros begun_at() const { return begun_at_; }  ///< when all had agreed
  /// When a worker's own failure is to be seen.
  Micros fails_at(int worker) const;
  Micros starts_at() const { return begun_at_ + part_.set_up; }

 private:
  struct Worker {
    bool runs = false;
    sys::TimePoint error_at;  ///< the epoch: it printed none
    bool communication = false;
  };

  Worker& worker(int index) { return workers_[static_cast<std::size_t>(index)]; }
  const Story& story(int index) const { return part_.workers[static_cast<std::size_t>(index)]; }
  void tell(const supervise::Event& event);
  void carry_out(const supervise::Action& action);
  void spawn(int index);
  void arm(const supervise::action::ArmTimer& action);
  void signal_workers(int signal);
  void worker_prints(int index, bool communication);
  void worker_ends(int index, sys::ExitStatus status);
  void post_end(int index, Micros delay, sys::ExitStatus status);
  diagnose::Evidence evidence_of(std::size_t index) const;

  Launcher& launcher_;
  Timeline& timeline_;
  const Schedule& schedule_;
  const Part& part_;
  int number_, first_rank_;
  Micros begun_at_;
  supervise::JobMachine machine_;
  std::vector<Worker> workers_;
  int timer_ = 0;  ///< how many were armed or cancelled
  int stops_ = 0;  ///< signals that came
  bool signalled_ = false;
  std::optional<Micros> stopped_at_, over_at_;
};

}  // namespace trainit::simulation
