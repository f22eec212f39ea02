#pragma once

#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "coordination/connection.h"
#include "coordination/handshake.h"
#include "sys/address.h"
#include "sys/event_loop.h"
#include "sys/listener.h"

namespace trainit::coordination {

/// Where the members come in: accepts connections to the control port, and lets through who is of
/// this job. Strangers, scanners and those who say nothing cost a few bytes each and one line of
/// the log in all.
class Door {
 public:
  struct Setup {
    const sys::Listener& listener;  ///< outlives this
    const JobKey& key;              ///< too
    std::vector<std::string> hosts;
    /// Whether somebody at this address is worth a challenge.
    std::function<bool(const sys::Address& address)> is_allowed;
    /// Whether who is not allowed is a stranger. Else it may be a host whose name has no address
    /// yet: it is turned away without a word, and comes again.
    std::function<bool()> knows_hosts;
    /// Whether anybody may still come in; else a sentence says why not.
    std::function<std::string()> why_closed;
    /// It has proved that it is the host of this index, and comes from there.
    std::function<void(int host, const sys::Address& address,
                       std::unique_ptr<Connection> connection)>
        joined;
    std::function<void(const std::string& sentence)> complain;
    /// How long who comes may take to prove who it is, however many bytes it sends meanwhile.
    sys::Duration answers = std::chrono::seconds(10);
    /// How many have not done so at once, besides the hosts, until the oldest of them are sent
    /// away.
    std::size_t most_strangers = 1024;
  };

  static Result<std::unique_ptr<Door>> open(sys::EventLoop& loop, Setup setup);
  ~Door();
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

 private:
  struct Guest {
    std::unique_ptr<Connection> connection;
    HubHandshake handshake;
    sys::Address address;
    sys::EventLoop::TimerId timer = 0;
    bool leaving = false;  ///< refused, and given a moment to read why
  };
  using Guests = std::list<Guest>;

  Door(sys::EventLoop& loop, Setup setup);
  void accept_from(sys::BorrowedFd listening);
  bool make_room();
  void rest();
  void listen_again();
  void let_in(sys::UniqueFd socket, const sys::Address& address);
  void hear(Guests::iterator guest, const Message& message);
  void refuse(Guests::iterator guest, message::Refusal refusal);
  void show_out(Guests::iterator guest);
  std::size_t most_guests() const;
  int index_of(std::string_view host) const;
  void complain(const char* kind, const std::string& sentence);

  sys::EventLoop& loop_;
  Setup setup_;
  std::unordered_map<std::string_view, int> indices_;  ///< of setup_.hosts
  Guests guests_;
  std::set<std::string> complained_;
  std::optional<sys::EventLoop::TimerId> rest_timer_;
};

}  // namespace trainit::coordination
