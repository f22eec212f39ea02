// The members of a job, as their leader sees them.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordination/handshake.h"
#include "coordination/message.h"

namespace hosts_load {

namespace message = trainit::coordination::message;

// How far a member is.
enum class Stage { kComing, kTogether, kStopped, kJudged, kGone };

class Crowd {
 public:
  // Of the hosts 1 to `hosts` - 1 of a job that is described by --nnodes.
  Crowd(int port, int hosts, const std::string& job, message::Report report);

  // All begin to connect, and come again when the leader turns them away.
  void connect();
  // A worker of the last member dies.
  void fail_one();
  // No member has a worker any more.
  void end_all();
  // All know the outcome.
  void all_heard();

  // Until all are as far. Silence of 60 s fails, and who is further already.
  void run_until(Stage stage);
  void run_for(double seconds);

  int turned_away() const { return turned_away_; }

 private:
  struct Member {
    explicit Member(int host) : index(host) {}
    int index;
    int socket = -1;
    Stage stage = Stage::kComing;
    trainit::coordination::FrameReader reader;
    std::optional<trainit::coordination::MemberHandshake> handshake;
    std::int64_t echo = 0, echo_came = 0;
  };

  void connect(Member& member);
  void come_again();
  void run_once(double until);
  void beat();
  void read(Member& member);
  void lose(Member& member);
  void close(Member& member);
  void send(const Member& member, const trainit::coordination::Message& message);
  void step(Member& member, Stage from, Stage to);

  void handle(Member& member, const message::Challenge& challenge);
  void handle(Member& member, const message::Welcome& welcome);
  void handle(Member& member, const message::Refusal& refusal);
  void handle(Member& member, const message::Heartbeat& beat);
  void handle(Member& member, const message::Agreed& agreed);
  void handle(Member& member, const message::Stop& stop);
  void handle(Member& member, const message::Outcome& outcome);
  void handle(Member& member, const message::Leave&);
  void handle(Member&, const message::Waiting&) {}
  template <class Other>
  void handle(Member& member, const Other&);

  int port_;
  std::vector<std::string> hosts_;
  trainit::coordination::JobKey key_;
  message::Report report_;
  int epoll_;
  std::deque<Member> members_;
  std::array<std::size_t, 5> at_stage_{};
  std::deque<std::pair<double, Member*>> again_;  // when, in order
  std::size_t turn_ = 0;                          // of those that beat next
  double next_beat_ = 0, began_ = 0, last_heard_ = 0;
  int turned_away_ = 0;
};

}  // namespace hosts_load
