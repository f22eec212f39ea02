#pragma once

#include <functional>
#include <memory>
#include <string>

#include "coordination/message.h"
#include "sys/event_loop.h"
#include "sys/unique_fd.h"

namespace trainit::coordination {

/// One connection between two launchers: messages go out and come in without anybody waiting.
class Connection {
 public:
  struct Callbacks {
    std::function<void(const Message& message)> received = {};
    /// Once at most, and nothing after it. `how` stands after the other host's name: "ended its
    /// connection without a word".
    std::function<void(const std::string& how)> closed = {};
  };

  /// A connected, non-blocking socket. `loop` outlives this.
  Connection(sys::EventLoop& loop, sys::UniqueFd socket);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Begins to listen, or changes who is told. A callback may destroy this. Error: the kernel has
  /// no watch left.
  Result<void> listen(Callbacks callbacks);
  /// No frame that comes may be longer: short ones before the peer has proved who it is.
  void limit(std::size_t bytes) { reader_.limit(bytes); }

  /// What the kernel does not take at once goes out later. A peer that leaves too much unread is as
  /// good as gone: `closed` says so, later.
  void send(const Message& message);
  /// Ends it from this side: nobody is told.
  void hang_up();
  bool open() const { return static_cast<bool>(socket_); }
  /// Both ends are on this machine.
  bool is_local() const;

 private:
  void ready(std::uint32_t events);
  void read();
  bool take_messages();
  void write();
  void close(const std::string& how);

  sys::EventLoop& loop_;
  sys::UniqueFd socket_;
  Callbacks callbacks_;
  FrameReader reader_;
  std::string unsent_;
  bool watched_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< false: destroyed by a callback
};

/// Makes a socket come through again soon after packets were lost: a heartbeat is no stream, whose
/// retransmissions may take ever longer to wait.
void prepare_socket(const sys::UniqueFd& socket);

}  // namespace trainit::coordination
