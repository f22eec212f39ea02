#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "coordination/clock_offset.h"
#include "coordination/host_ranks.h"
#include "coordination/limits.h"
#include "coordination/message.h"
#include "diagnose/restart.h"

/// The leader's side of all hosts, as far as it is decided here: without a clock or a socket. Its
/// own host's member is one of them.
namespace trainit::coordination {

namespace hub_action {
struct Send {
  int host;  ///< index among the job's hosts, which is its host rank
  Message message;
};
struct Disconnect {
  int host;
};
/// A warning for the log.
struct Tell {
  std::string text;
};
/// This worker has come to the rendezvous store, says its host.
struct Came {
  int rank;
};
/// Everybody has heard the outcome, or is gone. Nothing comes after it.
struct Finish {};
}  // namespace hub_action
using HubAction = std::variant<hub_action::Send, hub_action::Disconnect, hub_action::Tell,
                               hub_action::Finish, hub_action::Came>;

class Hub {
 public:
  struct Setup {
    std::vector<std::string> hosts;  ///< in rank order; the first is the leader
    /// What is the same for all: the endpoints, the run id, who serves the store.
    environment::Agreement common;
    Limits limits;
    diagnose::RestartLimits restarts = {};
  };
  using Actions = std::vector<HubAction>;

  Hub(Setup setup, sys::TimePoint now);

  /// What is known of a host that has not come: "no address yet".
  void note(int host, std::string what) {
    hosts_[static_cast<std::size_t>(host)].note = std::move(what);
  }
  /// What has been noticed while hosts are waited for: to stand behind the names of those.
  void remark(std::string sentence) { remark_ = std::move(sentence); }
  /// Whether a host may still come: until all have agreed, and then no more.
  bool is_open() const { return phase_ == Phase::kMeeting; }
  /// What to say to a host that comes too late: a sentence.
  std::string why_closed() const;
  /// It has proved that it is this host. A new connection of a host takes the place of its last.
  Actions connected(int host, sys::TimePoint now);
  Actions received(int host, const Message& message, sys::TimePoint now);
  Actions disconnected(int host, const std::string& how, sys::TimePoint now);

  /// The store of the round that runs has been joined by a process that may be of this host, which
  /// is asked: its `Came` follows if it is a worker's.
  Actions joined(int host, int pid);
  /// Not all workers have come to the store in this time: each of the other hosts is to say which
  /// of its own have not. Nothing while they are being stopped.
  Actions late(sys::Duration after) const;
  /// Whose ranks are whose, when all have agreed; empty before that.
  std::vector<HostRanks> ranks() const;

  /// Hosts that have not come are not waited for any longer, to tell them that one cannot begin.
  Actions wait_no_longer(sys::TimePoint now);

  /// Call it every `limits.beat`.
  Actions tick(sys::TimePoint now);

  /// "2 of 12 hosts: algo-7 (no address yet), algo-11 (not heard from)"; empty: all are there.
  std::string missing() const;
  bool finished() const { return phase_ == Phase::kFinished; }

 private:
  enum class Phase {
    kMeeting,
    kTogether,
    kBetween,  ///< a round is over, and not all are ready for the next
    kJudged,
    kFinished,
  };
  struct Host {
    std::string note = "not heard from";
    bool connected = false;
    bool lost = false;
    bool heard_outcome = false;
    bool ready = false;  ///< for the next round
    int first_rank = 0;  ///< when all have agreed
    int asked = 0;       ///< in this round, for processes that have come to the store
    std::optional<message::Report> report;
    std::optional<message::Ended> end;
    sys::TimePoint heard_at;
    Echo echo;
    ClockOffset clock;
  };

  void notice_late(sys::TimePoint now);
  void handle(int host, const message::Heartbeat&, sys::TimePoint now, Actions& out);
  void handle(int host, const message::Report&, sys::TimePoint now, Actions& out);
  void handle(int host, const message::StopBegan&, sys::TimePoint now, Actions& out);
  void handle(int host, const message::Ended&, sys::TimePoint now, Actions& out);
  void handle(int host, const message::Heard&, sys::TimePoint now, Actions& out);
  void handle(int host, const message::Ready&, sys::TimePoint now, Actions& out);
  void handle(int host, const message::Came&, sys::TimePoint now, Actions& out);
  template <class Other>
  void handle(int, const Other&, sys::TimePoint, Actions&) {}  // not for a hub
  void agree(sys::TimePoint now, Actions& out);
  void cannot_begin(const diagnose::HostEnd& end, sys::TimePoint now, Actions& out);
  void tell_withdrawal_in_time(sys::TimePoint now, Actions& out);
  void refuse(std::string why, sys::TimePoint now, Actions& out);
  void wait_on(sys::TimePoint now, Actions& out);
  void give_up_on_deaf(Actions& out);
  void miss(int host, const std::string& how, sys::TimePoint since, sys::TimePoint now,
            Actions& out);
  void lose(int host, const std::string& how, sys::TimePoint since, sys::TimePoint now,
            Actions& out);
  void leave_stop_to_its_host(std::vector<diagnose::HostEnd>& ends) const;
  void stop_all(const message::Stop& why, sys::TimePoint now, Actions& out);
  void judge_when_all_ended(sys::TimePoint now, Actions& out);
  std::string who_has_gone() const;
  void begin_again(std::chrono::milliseconds delay, diagnose::Verdict verdict, Actions& out);
  void not_again(const std::string& why, sys::TimePoint now, Actions& out);
  std::string clashes() const;
  void say_outcome(diagnose::Verdict verdict, sys::TimePoint now, Actions& out);
  void finish_when_all_heard(Actions& out);
  template <class Predicate>
  bool every_host(const Predicate& is_so);
  void send_all(const Message& message, Actions& out) const;
  void beat(sys::TimePoint now, Actions& out) const;
  std::string difference() const;

  Setup setup_;
  Phase phase_ = Phase::kMeeting;
  std::vector<Host> hosts_;
  std::size_t awaited_ = 0;  ///< whom every_host looks at first
  std::vector<diagnose::LostHost> lost_;
  bool stopping_ = false;
  std::optional<diagnose::ToldStop> told_;  ///< what this round was stopped for; no lost host
  int stopped_at_ = -1;      ///< the host that the platform asked to stop first; -1: none
  bool stop_asked_ = false;  ///< by the platform, when a round was over already on that host
  int round_ = 0;            ///< that runs, or is made ready for
  diagnose::Verdict round_verdict_;  ///< of the one before
  std::string told_missing_, remark_;
  std::optional<diagnose::Verdict> withdrawal_;  ///< of a host that cannot begin; not told yet
  std::string outcome_;                          ///< what was said of a job that failed
  sys::Duration stood_still_{};                  ///< while the workers ran, the longest time
  sys::TimePoint settled_at_;  ///< then what had come while we could not run has been read
  sys::TimePoint met_at_, last_tick_, judged_at_, opened_at_, withdrawn_at_;
};

}  // namespace trainit::coordination
