#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordination/hub.h"
#include "coordination/member.h"
#include "network.h"
#include "schedule.h"
#include "supervise/job_machine.h"
#include "timeline.h"

namespace trainit::simulation {

/// What there is beside a host.
class World : public Attention {
 public:
  /// Who leads answers, or nobody does.
  virtual class Host* leader() = 0;
  /// A worker failed, or a host went with its workers: the others' miss it.
  virtual void missed() = 0;
  virtual void broken(const std::string& promise) = 0;
  virtual Network& network() = 0;
};

/// One host: its launcher, made of the real machine, member and hub, and the workers that the
/// schedule tells of. What is between these here is between them in the launcher too.
class Host {
 public:
  Host(int index, const Schedule& schedule, Timeline& timeline, World& world);

  void start();
  /// Calls it when the launcher runs; never, when it has gone.
  void run(std::function<void()> what, bool timer = false);
  void thaw();
  void die(bool with_a_word);
  void stop_signal();
  void lose_store();
  void miss_peer();
  /// Somebody calls the leader.
  void answer(int host, const std::shared_ptr<Connection>& connection);

  bool started() const { return started_; }
  bool gone() const { return exited_at_ || died_; }
  bool died() const { return died_; }
  bool begun() const { return begun_; }
  bool ended() const { return ended_at_.has_value(); }
  std::optional<Micros> ended_at() const { return ended_at_; }
  std::optional<Micros> exited_at() const { return exited_at_; }
  std::optional<Micros> stopped_at() const { return stopped_at_; }
  const std::string& name() const { return name_; }
  const std::optional<diagnose::Verdict>& verdict() const { return verdict_; }
  const std::optional<Error>& gave_up() const { return gave_up_; }
  /// The outcome came from the hub.
  bool heard() const { return heard_; }
  /// It had trouble of its own.
  bool could_not_begin() const { return !end_.trouble.empty(); }
  bool hurried() const { return hurried_; }
  /// Every worker ended with 0.
  bool went_well() const;
  bool reports_success() const { return verdict_ && verdict_->success(); }
  int exit_code() const;
  std::string failure() const;
  Micros set_up() const { return own_.set_up; }
  int first_rank() const { return first_rank_; }
  Micros budget() const;  ///< from a first stop signal to its end
  std::optional<Micros> begun_at() const { return begun_at_; }

 private:
  struct Worker {
    bool runs = false;
    std::optional<sys::ExitStatus> status;
    Micros error_at = 0;  ///< by the host's clock; 0: it printed none
    bool communication = false;
  };
  class HubEnd;
  class MemberEnd;

  sys::TimePoint clock() const;
  void note(const std::string& what);
  void expect(bool promise, const std::string& broken);
  void after(Micros delay, std::function<void()> what);  ///< a timer of the launcher
  void tick();
  void dial();
  void act(coordination::Member::Actions actions);
  void act(coordination::Hub::Actions actions);
  void work();
  void perform(const coordination::member_action::Send&);
  void perform(const coordination::member_action::Disconnect&);
  void perform(const coordination::member_action::Begin&);
  void perform(const coordination::member_action::Wait&);
  void perform(const coordination::member_action::GiveUp&);
  void perform(const coordination::member_action::StopWorkers&);
  void perform(const coordination::member_action::Conclude&);
  void perform(const coordination::hub_action::Send&);
  void perform(const coordination::hub_action::Disconnect&);
  void perform(const coordination::hub_action::Tell&);
  void perform(const coordination::hub_action::Finish&);
  void fail_set_up(const std::string& trouble, int code);

  void begin_workers();
  void tell(const supervise::Event& event);
  void carry_out(const supervise::Action& action);
  void worker_prints(int index, bool communication);
  void worker_ends(int index, sys::ExitStatus status);
  void post_end(int index, Micros delay, sys::ExitStatus status);
  void signal_workers(int signal);
  void tell_lost_store();
  void finish_part();
  diagnose::HostEnd host_end() const;
  void hurry_in_time();
  void leave_when_done();
  void leave();

  int index_;
  const Schedule& schedule_;
  const HostSchedule& own_;
  Timeline& timeline_;
  World& world_;
  std::string name_;

  bool started_ = false, died_ = false, begun_ = false, heard_ = false;
  bool hurried_ = false, hub_finished_ = false, goodbye_over_ = false, welcome_ = false;
  bool stop_workers_ = false, lost_store_ = false;
  std::optional<Micros> begun_at_, exited_at_, ended_at_, stopped_at_, stop_came_at_;
  std::deque<std::pair<bool, std::function<void()>>> missed_;  ///< true: a timer
  int frozen_ = 0;                                             ///< freezes that are not over
  Micros stood_still_ = 0;                                     ///< its clock

  std::optional<coordination::Member> member_;
  std::optional<coordination::Hub> hub_;
  std::shared_ptr<Connection> to_hub_;
  std::map<int, std::shared_ptr<Connection>> members_;
  std::deque<std::function<void()>> work_;
  bool working_ = false;

  std::optional<supervise::JobMachine> machine_;
  std::optional<coordination::message::Stop> stop_;
  std::vector<Worker> workers_;
  int timer_ = 0;
  int stops_ = 0;  ///< signals that came
  bool signalled_ = false, dead_store_ = false;
  diagnose::HostEnd end_;
  int first_rank_ = 0;
  std::optional<diagnose::Verdict> verdict_;
  std::optional<Error> gave_up_;
};

}  // namespace trainit::simulation
