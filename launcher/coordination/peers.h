#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordination/dialer.h"
#include "coordination/door.h"
#include "coordination/hub.h"
#include "coordination/member.h"
#include "names/resolver.h"
#include "sys/listener.h"

namespace trainit::coordination {

/// The other hosts of the job, as the launcher of one sees them: carries out what its member and,
/// on the leader, the hub decide.
class Peers {
 public:
  struct Setup {
    std::vector<std::string> hosts;  ///< in rank order; the first leads
    int host_rank = 0;
    std::string leader;  ///< where to find it: its name, or an address
    bool named = true;   ///< the hosts' names can be looked up, and only they are let in
    std::optional<message::Report> report;  ///< of this host; nothing: it is to withdraw
    JobKey key;
    int control_port = 0;
    Limits limits;
    /// On the leader: what all will agree on, and where to listen.
    environment::Agreement common;
    diagnose::RestartLimits restarts = {};
    const sys::Listener* listener = nullptr;  ///< outlives this
  };
  /// For the log.
  struct Say {
    std::function<void(const std::string&sentence)> info, warning;
  };

  /// Begins to look for the others. `loop` outlives this. Error: the kernel refuses what is needed.
  static Result<std::unique_ptr<Peers>> open(sys::EventLoop& loop, Setup setup, Say say);
  ~Peers();
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  /// Runs the loop until all hosts are there. `interrupted` is asked again and again; what it
  /// returns is told to the others and comes back. Error: why the hosts do not begin.
  Result<environment::Agreement> meet(const std::function<std::optional<Error>()>& interrupted);
  /// This host cannot go on: tells the others, and runs the loop until nobody needs this host any
  /// more; from when `given_up` says so, not for long. Before all have met it first waits so long
  /// for the leader, which then waits for the others (`Limits::withdraw`), unless this is a stop.
  void withdraw(const Error& why, const std::function<bool()>& given_up,
                sys::Duration patience = {}, StopReason reason = StopReason::kNone);
  /// The addresses of all hosts, as far as they are known: of the leader alone on the others.
  std::vector<sys::Address> addresses() const;

  /// After `again`: nothing is left here of the last round. Runs the loop until all hosts are ready
  /// for the next, or `given_up` says that nobody waits any longer, which it is asked again and
  /// again. Nothing: there is no such round, be it that the verdict is known.
  std::optional<environment::Agreement> meet_again(const std::function<bool()>& given_up);
  /// Between two rounds: somebody asked this host to stop. Runs the loop until the verdict is
  /// known, but not for long.
  void stop_between(int signal);

  /// From now on `stop` is called once when the workers of this host are to stop because of
  /// another; at once, if that has come already. Empty: nobody is to be told any more.
  void on_stop(std::function<void(const message::Stop& why)> stop);
  void stop_began(StopReason reason, int signal, const std::string& text);
  void ended(message::Ended end);
  /// All parts of a round are over, and the job is to begin once more; nothing: it is not.
  const std::optional<message::Again>& again() const { return again_; }
  /// What is to be reported; nothing: it is not known yet.
  const std::optional<diagnose::Verdict>& verdict() const { return verdict_; }
  /// Makes do with what is known here, because there is no time left.
  void hurry();

  // Who comes to the rendezvous store, which only the leader has. Whose worker a process is only
  // its own host can tell.
  /// What this host is told of that from now on.
  struct Arrivals {
    std::function<void(pid_t process)> look_for;    ///< it may be a worker's: `came`, if so
    std::function<void(sys::Duration after)> late;  ///< say who has not come in this time
    std::function<void(int rank)> came;             ///< on the leader: another host's worker
  };
  void on_arrivals(Arrivals arrivals) { arrivals_ = std::move(arrivals); }
  /// On the leader: a process has come from this address; nothing: from this machine. Asks the
  /// other hosts that are there, of which there may be several, or none.
  void joined(const std::optional<sys::Address>& from, pid_t process);
  /// On the leader: not all workers have come in this time, and the other hosts are to say so too.
  void late(sys::Duration after);
  /// A worker of this host has come.
  void came(int rank);
  /// On the leader: whose ranks are whose, since all have met; empty on the others.
  std::vector<HostRanks> ranks() const;
  /// Whether the part of this host in the round is over: it is known how the job goes on, or
  /// nobody needs this host any more.
  bool round_over() const { return again_ || done(); }
  /// Whether nobody needs this host any more.
  bool done() const;

 private:
  /// Where a host's own connection comes from, and so its workers'.
  struct Place {
    sys::Address address;
    bool local = false;  ///< on this machine
  };

  Peers(sys::EventLoop& loop, Setup setup, Say say);
  Result<void> begin();
  Result<void> begin_as_leader();
  void begin_as_follower();
  void look_up_hosts();
  void looked_up(std::size_t host, const Result<std::vector<sys::Address>>& found);
  bool is_allowed(const sys::Address& address) const;
  bool may_be_at(std::size_t host, const std::optional<sys::Address>& address) const;
  bool knows_hosts() const;
  void member_joined(int host, const sys::Address& address, std::unique_ptr<Connection> connection);
  void replace_member(int host);
  void hub_joined(std::unique_ptr<Connection> connection, const sys::Address& address);
  void tick();

  template <class Action>
  void act(std::vector<Action> actions);
  void work();
  void perform(const member_action::Send& action);
  void perform(const member_action::Disconnect& action);
  void perform(const member_action::Begin& action);
  void perform(const member_action::Wait& action);
  void perform(const member_action::GiveUp& action);
  void perform(const member_action::StopWorkers& action);
  void perform(const member_action::Conclude& action);
  void perform(const member_action::BeginAgain& action);
  void perform(const member_action::LookFor& action);
  void perform(const member_action::TellLate& action);
  void perform(const hub_action::Send& action);
  void perform(const hub_action::Disconnect& action);
  void perform(const hub_action::Tell& action);
  void perform(const hub_action::Finish&);
  void perform(const hub_action::Came& action);
  void say_good_bye();

  sys::EventLoop& loop_;
  Setup setup_;
  Say say_;
  names::Resolver resolver_;
  Member member_;
  std::unique_ptr<Dialer> dialer_;
  std::unique_ptr<Connection> to_hub_;

  // On the leader.
  std::optional<Hub> hub_;
  std::unique_ptr<Door> door_;
  std::vector<std::unique_ptr<Connection>> members_;  ///< by host rank; none of our own
  std::vector<int> returns_;                          ///< too: how often it took its own place
  std::vector<std::vector<sys::Address>> addresses_;  ///< too
  std::vector<Place> places_;                         ///< too
  std::vector<bool> asked_;                           ///< whose name is being looked up
  int look_ups_ = 0;                                  ///< how often they have come round

  // What is decided may lead to more of it: that waits here, in order.
  std::deque<std::function<void()>> work_;
  bool working_ = false;
  bool hurried_ = false;  ///< there is no time left for the others

  std::optional<sys::EventLoop::TimerId> beat_timer_, look_up_timer_, goodbye_timer_;
  std::vector<std::unique_ptr<Connection>> closed_;  ///< until nobody is in them
  sys::TimePoint began_at_;
  std::string waiting_;  ///< a sentence for the log
  bool waited_ = false;
  bool met_ = false;  ///< all have agreed once: no other connection is made
  std::optional<environment::Agreement> agreement_;  ///< for the round that runs
  std::optional<sys::Address> leader_address_;
  std::optional<Error> gave_up_;
  std::optional<message::Stop> stop_;
  std::function<void(const message::Stop& why)> on_stop_;
  Arrivals arrivals_;
  std::optional<message::Again> again_;
  std::optional<diagnose::Verdict> verdict_;
};

}  // namespace trainit::coordination
