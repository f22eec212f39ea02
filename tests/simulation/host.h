#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "coordination/hub.h"
#include "coordination/member.h"
#include "network.h"
#include "round.h"
#include "schedule.h"
#include "timeline.h"

namespace trainit::simulation {

/// For so long somebody who leaves waits for the others.
inline constexpr Micros kGoodbye = 2 * kSecond;

/// What there is beside a host.
class World : public Attention {
 public:
  /// Who leads answers, or nobody does.
  virtual class Host* leader() = 0;
  /// A worker failed, or a host went with its workers: the others' miss it.
  virtual void missed() = 0;
  virtual void broken(const std::string& promise) = 0;
  /// A worker is about to be started.
  virtual void worker_starts(const Host& host, int round) = 0;
  // What the leader's hub hears and says.
  virtual void hub_hears(int host, const coordination::Message& message) = 0;
  virtual void hub_loses(int host) = 0;
  virtual void hub_says(int host, const coordination::Message& message) = 0;
  virtual Network& network() = 0;
};

/// One host: its launcher, made of the real machine, member and hub, and the workers that the
/// schedule tells of. What is between these here is between them in the launcher too.
class Host : public Launcher {
 public:
  Host(int index, const Schedule& schedule, Timeline& timeline, World& world);

  void start();
  /// Calls it when the launcher runs; never, when it has gone.
  void run(std::function<void()> what, bool timer = false);
  void freeze();
  void thaw(Micros after);
  void die(bool with_a_word);
  void stop_signal();
  void miss_peer();
  /// Somebody calls the leader.
  void answer(int host, const std::shared_ptr<Connection>& connection);

  int index() const { return index_; }
  bool started() const { return started_; }
  bool gone() const { return exited_at_ || died_; }
  bool died() const { return died_; }
  bool begun() const { return !rounds_.empty(); }
  /// Its part of the last round that began.
  const Round& round() const { return *rounds_.back(); }
  const Round& round(int number) const { return *rounds_.at(static_cast<std::size_t>(number)); }
  bool ended() const { return ended_at_.has_value(); }
  std::optional<Micros> ended_at() const { return ended_at_; }
  std::optional<Micros> exited_at() const { return exited_at_; }
  std::optional<Micros> stopped_at() const;
  const std::string& name() const override { return name_; }
  const std::optional<diagnose::Verdict>& verdict() const { return verdict_; }
  const std::optional<Error>& gave_up() const { return gave_up_; }
  /// The outcome came from the hub.
  bool heard() const { return heard_; }
  /// It had trouble of its own before all had agreed.
  bool could_not_begin() const { return !begun() && !end_.trouble.empty(); }
  bool hurried() const { return hurried_; }
  bool is_between() const { return stage_ == Stage::kBetween; }
  /// It was stopped between two rounds.
  bool stopped_between() const { return stopped_between_; }
  /// The same, before it was ready for the next.
  bool stopped_unready() const { return stopped_unready_; }
  /// Every worker of the last round ended with 0.
  bool went_well() const { return begun() && round().went_well(); }
  int exit_code() const;
  std::string failure() const;
  /// Of the last round, from the agreement to the workers' start.
  Micros set_up() const;
  Micros set_ups() const;  ///< of all rounds
  Micros budget() const;   ///< from a first stop signal to its end
  std::optional<Micros> begun_at() const;
  /// When it is to be ready for a round that has not begun; nothing: it is not in between.
  std::optional<Micros> ready_at() const { return ready_at_; }

 private:
  enum class Stage {
    kMeeting,    ///< not all have agreed
    kSetUp,      ///< all have, or are ready
    kRunning,    ///< the workers are
    kAttending,  ///< they have ended, and the others' perhaps not
    kBetween,    ///< all have, and are to begin once more
    kWithdrawn,  ///< this host cannot go on, and waits until the others know
    kStopped,    ///< between two rounds
  };
  class HubEnd;
  class MemberEnd;

  // A round's.
  sys::TimePoint clock() const override;
  void note(const std::string& what) override;
  void expect(bool promise, const std::string& broken) override;
  void after(Micros delay, std::function<void()> what) override;
  void worker_starts(int round, int worker) override;
  void worker_missed() override { world_.missed(); }
  void tell_peers(diagnose::StopReason reason, int signal) override;
  void round_over() override;

  void tick();
  void dial();
  void hub_hears(int host, const coordination::Message& message);
  void hub_loses(int host, const std::string& how);
  void act(coordination::Member::Actions actions);
  void act(coordination::Hub::Actions actions);
  void work();
  void perform(const coordination::member_action::Send&);
  void perform(const coordination::member_action::Disconnect&);
  void perform(const coordination::member_action::Begin&);
  void perform(const coordination::member_action::BeginAgain&);
  void perform(const coordination::member_action::LookFor&);
  void perform(const coordination::member_action::TellLate&);
  void perform(const coordination::member_action::Wait&);
  void perform(const coordination::member_action::GiveUp&);
  void perform(const coordination::member_action::StopWorkers&);
  void perform(const coordination::member_action::Conclude&);
  void perform(const coordination::hub_action::Send&);
  void perform(const coordination::hub_action::Disconnect&);
  void perform(const coordination::hub_action::Tell&);
  void perform(const coordination::hub_action::Finish&);
  void perform(const coordination::hub_action::Came&);

  const Part& part(int round) const { return schedule_.part(index_, round); }
  void begin_workers();
  void fail_set_up(const std::string& trouble, int code);
  void be_ready();
  void stop_between();
  void stop_attending();
  void say_good_bye();
  void join_store(int host, int round, int process);
  void lose_store();
  void tell_lost_store();
  void hurry();
  void hurry_at(Micros when);
  void leave_when_done();
  void leave();

  int index_;
  const Schedule& schedule_;
  const HostSchedule& own_;
  Timeline& timeline_;
  World& world_;
  std::string name_;

  bool started_ = false, died_ = false, heard_ = false, hurried_ = false;
  bool hub_finished_ = false, goodbye_over_ = false, welcome_ = false;
  std::optional<Micros> exited_at_, ended_at_;
  std::deque<std::pair<bool, std::function<void()>>> late_;  ///< true: a timer
  int frozen_ = 0;                                           ///< freezes that are not over
  Micros stood_still_ = 0;                                   ///< its clock

  std::optional<coordination::Member> member_;
  std::optional<coordination::Hub> hub_;
  std::shared_ptr<Connection> to_hub_;
  std::map<int, std::shared_ptr<Connection>> members_;
  std::deque<std::function<void()>> work_;
  bool working_ = false;

  Stage stage_ = Stage::kMeeting;
  std::vector<std::unique_ptr<Round>> rounds_;
  std::optional<coordination::message::Stop> stop_;    ///< of the round
  std::optional<coordination::message::Again> again_;  ///< the last
  std::optional<Micros> ready_at_;
  bool ready_ = false;    ///< it has said so
  bool pending_ = false;  ///< a stop signal waits until somebody looks
  bool stopped_between_ = false, stopped_unready_ = false;
  std::set<int> came_;  ///< the leader's: ranks of this round that have come to the store
  std::optional<Micros> stop_came_at_;  ///< after which there is no other round
  bool lost_store_ = false;
  diagnose::HostEnd end_;
  std::optional<diagnose::Verdict> verdict_;
  std::optional<Error> gave_up_;
};

}  // namespace trainit::simulation
