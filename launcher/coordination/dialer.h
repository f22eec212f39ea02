#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordination/connection.h"
#include "coordination/handshake.h"
#include "names/resolver.h"
#include "sys/address.h"
#include "sys/event_loop.h"

namespace trainit::coordination {

/// A member's way to the hub: looks up the leader, connects, and proves that it belongs to the job;
/// all that again and again, until it is through.
class Dialer {
 public:
  /// How long each step of a try may take.
  struct Patience {
    sys::Duration look_up = std::chrono::seconds(5);
    sys::Duration connect = std::chrono::seconds(3);
    sys::Duration shake_hands = std::chrono::seconds(10);
  };
  struct Setup {
    std::string leader;  ///< a name or an address
    int port = 0;
    const JobKey& key;  ///< outlives this
    std::string host;   ///< who we are
    /// Through: the connection, and at which address the leader is.
    std::function<void(std::unique_ptr<Connection> connection, const sys::Address& address)> joined;
    /// What keeps it from that, when it is something new: "algo-1 has no address yet (…)".
    std::function<void(const std::string& what)> waiting;
    /// There is no use in trying again, and nothing is tried any more: a sentence.
    std::function<void(const std::string& why)> refused;
    Patience patience = {};
    names::Servers servers = {};
  };

  /// `loop` outlives this.
  Dialer(sys::EventLoop& loop, Setup setup);
  ~Dialer();
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;

  /// Begins, at once.
  void dial();
  /// After `joined`, when that connection was lost: begins once more, not at once, because what
  /// ended it may do so again.
  void dial_again();

 private:
  void try_next_address();
  void connect_to(const sys::Address& address);
  void on_connected();
  void hear(const Message& message);
  /// This try, for that reason.
  void failed(const std::string& why);
  /// With the next address, or after a pause with all of them.
  void try_on(const std::string& why);
  void set_timer(sys::Duration delay, void (Dialer::*then)());
  void too_late();
  void stop_trying();

  sys::EventLoop& loop_;
  Setup setup_;
  names::Resolver resolver_;
  std::vector<sys::Address> addresses_;  ///< still to be tried, last first
  std::optional<sys::Address> address_;
  sys::UniqueFd socket_;  ///< that is being connected
  std::unique_ptr<Connection> connection_;
  std::optional<MemberHandshake> handshake_;
  std::optional<sys::EventLoop::TimerId> timer_;
  std::string doing_;  ///< for what there was no time: "does not answer at port 29400"
  std::string told_;
  std::string turned_away_;  ///< why it was, the last time; empty: it was not
};

}  // namespace trainit::coordination
