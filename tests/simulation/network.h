#pragma once

#include <memory>
#include <string>
#include <vector>

#include "coordination/message.h"
#include "dice.h"
#include "schedule.h"
#include "timeline.h"

namespace trainit::simulation {

class Network;

/// What a connection tells the host at one of its ends.
class End {
 public:
  virtual ~End() = default;
  virtual void received(const coordination::Message& message) = 0;
  virtual void closed(const std::string& how) = 0;
};

/// A connection between a host and the leader, as TCP has it: what was sent comes in order and
/// once, late when it was lost on the way, or not at all when the way is gone for good.
class Connection {
 public:
  Connection(Network& network, int host) : network_(network), host_(host) {}

  /// Which end: the leader's, or the other host's.
  enum Side { kHub, kMember };
  void attach(Side side, std::unique_ptr<End> end) { ends_[side].end = std::move(end); }
  void send(Side from, const coordination::Message& message);
  /// The end hears nothing any more. The other one learns of it, unless the way is gone.
  void close(Side from);
  bool is_open(Side side) const { return ends_[side].open; }
  int host() const { return host_; }

 private:
  friend class Network;
  struct Half {
    std::unique_ptr<End> end;
    coordination::FrameReader reader;
    bool open = true;
    int on_the_way = 0;       ///< to this end
    Micros last_arrival = 0;  ///< here
  };
  void arrive(Side at, const std::string& bytes);
  void tell_closed(Side at, const std::string& how);
  void post(Side to, Micros when, std::function<void()> what);

  Network& network_;
  int host_;
  Half ends_[2];
};

/// The hosts, seen from the network: who runs is asked to look at what has come.
class Attention {
 public:
  virtual ~Attention() = default;
  /// Calls `what` on a host when its launcher runs; never, when it has gone.
  virtual void on_host(int host, std::function<void()> what) = 0;
};

class Network {
 public:
  Network(Timeline& timeline, const Schedule& schedule, Attention& attention)
      : timeline_(timeline),
        schedule_(schedule),
        attention_(attention),
        dice_(schedule.seed ^ 0x6E6574776F726BULL) {}

  std::shared_ptr<Connection> connect(int host);
  /// When what is sent now between the host and the leader comes; kNever: it does not.
  Micros arrival(int host);
  /// Whether somebody who calls now is answered at all.
  bool passes(int host) const;
  /// The connections of a cut that ends them.
  void reset_all(int host);

 private:
  friend class Connection;
  Micros after_cuts(int host, Micros sent) const;

  Timeline& timeline_;
  const Schedule& schedule_;
  Attention& attention_;
  testing::Dice dice_;
  std::vector<std::shared_ptr<Connection>> connections_;
};

}  // namespace trainit::simulation
