#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "coordination/clock_offset.h"
#include "coordination/limits.h"
#include "coordination/message.h"

/// One host among the others, as far as it is decided here: without a clock, a socket or a
/// process. Every host has a member, the leader's too.
namespace trainit::coordination {

namespace member_action {
/// To the hub.
struct Send {
  Message message;
};
/// The hub is silent: end the connection. Until the hosts have agreed, another one is to be made.
struct Disconnect {};
/// All hosts are there, or ready: begin.
struct Begin {
  environment::Agreement agreement;
};
/// The round is over, and another one is to be made ready for.
struct BeginAgain {
  message::Again what;
};
/// For the log, while not all are there.
struct Wait {
  std::string text;
};
/// The hosts do not come together: the job cannot begin. Nothing comes after it.
struct GiveUp {
  Error error;
};
/// Another host's part has come to its end, or is lost: stop the workers. Once a round at most.
struct StopWorkers {
  message::Stop why;
};
/// This process may be a worker's, which has come to the rendezvous store then.
struct LookFor {
  int pid;
};
/// Say which workers of this host have not come to the store in this time.
struct TellLate {
  sys::Duration after;
};
/// The job is over, and this is what is reported of it. Nothing comes after it.
struct Conclude {
  diagnose::Verdict verdict;
};
}  // namespace member_action
using MemberAction =
    std::variant<member_action::Send, member_action::Disconnect, member_action::Begin,
                 member_action::Wait, member_action::GiveUp, member_action::StopWorkers,
                 member_action::Conclude, member_action::BeginAgain, member_action::LookFor,
                 member_action::TellLate>;

class Member {
 public:
  struct Setup {
    std::string host, leader;
    int host_rank = 0;
    std::optional<message::Report> report;  ///< nothing: this host is to withdraw
    Limits limits;
  };
  using Actions = std::vector<MemberAction>;

  Member(Setup setup, sys::TimePoint now);

  // The connection to the hub. It may be made anew until the hosts have agreed, and only until
  // then.
  /// What keeps it from being made: "the leader algo-1 refuses port 29400".
  void not_reached(std::string why) { not_reached_ = std::move(why); }
  Actions connected(sys::TimePoint now);
  Actions received(const Message& message, sys::TimePoint now);
  /// `how`: "its trainit ended without a word", to stand after the leader's name.
  Actions disconnected(const std::string& how, sys::TimePoint now);

  // What happens on this host.
  Actions stop_began(StopReason reason, int signal, const std::string& text);
  /// Its part is over; before all have agreed or are ready, because something is wrong here. Once
  /// more, when something has come to light after it.
  Actions ended(message::Ended end);
  /// Nothing of the last round is left here.
  Actions ready();
  /// This worker of the round that runs has come to the rendezvous store.
  Actions came(int rank) const;
  /// There is no time left to wait for the others.
  Actions hurry();

  /// Call it every `limits.beat`.
  Actions tick(sys::TimePoint now);

  bool over() const { return phase_ == Phase::kOver; }

 private:
  enum class Phase {
    kJoining,   ///< not all hosts are there
    kTogether,  ///< the workers run, or are being stopped
    kEnded,     ///< ours have ended; the others' perhaps not
    kBetween,   ///< all have ended, and are to begin once more
    kKnown,     ///< the outcome has come
    kOver,
  };

  void handle(const message::Heartbeat&, sys::TimePoint now, Actions& out);
  void handle(const message::Waiting&, sys::TimePoint now, Actions& out);
  void handle(const message::Agreed&, sys::TimePoint now, Actions& out);
  void handle(const message::Stop&, sys::TimePoint now, Actions& out);
  void handle(const message::Again&, sys::TimePoint now, Actions& out);
  void handle(const message::Outcome&, sys::TimePoint now, Actions& out);
  void handle(const message::Leave&, sys::TimePoint now, Actions& out);
  void handle(const message::Joined&, sys::TimePoint now, Actions& out);
  void handle(const message::Late&, sys::TimePoint now, Actions& out);
  template <class Other>
  void handle(const Other&, sys::TimePoint, Actions&) {}  // not for a member
  bool is_in(int round) const;
  void decline(sys::TimePoint now, Actions& out);
  void miss_leader(const std::string& how, sys::TimePoint since, sys::TimePoint now, Actions& out);
  void lose_leader(const std::string& how, sys::TimePoint since, sys::TimePoint now, Actions& out);
  std::string missing() const;
  void conclude_alone(Actions& out);
  void conclude_round(const std::string& why, Actions& out);
  void conclude(diagnose::Verdict verdict, Actions& out);
  void give_up(std::string why, int exit_code, Actions& out);

  Setup setup_;
  Phase phase_ = Phase::kJoining;
  bool connected_ = false;
  bool stopping_ = false;
  int stop_asked_ = 0;  ///< the platform's signal that came when no worker ran here; 0: none
  int round_ = 0;       ///< that runs, or is made ready for
  sys::TimePoint joined_at_, last_tick_, heard_at_, began_at_;
  sys::Duration stood_still_{};  ///< this host, the longest time
  Echo echo_;                    ///< of the hub
  std::string waiting_for_, not_reached_;
  std::optional<diagnose::LostHost> lost_leader_;
  std::optional<diagnose::ToldStop> told_;  ///< what this round was stopped for, as the hub says
  std::optional<message::Ended> end_;
  diagnose::Verdict verdict_;  ///< of the job, or between two rounds of the last
};

}  // namespace trainit::coordination
