#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/complaints.h"
#include "store/session.h"
#include "sys/address.h"
#include "sys/event_loop.h"
#include "sys/listener.h"
#include "sys/unique_fd.h"
#include "trainit/result.h"

namespace trainit::store {

/// Where a client is that has come from any address of this machine.
inline constexpr std::string_view kThisMachine = "this machine";

/// Who is served, and who is told what happens. The functions are called from the event loop.
struct ServerOptions {
  int world_size = 0;  ///< 0: not known (see KeySpaces)
  /// Besides this machine by its addresses in a network; others are closed at once.
  std::vector<sys::AddressRange> allowed;
  /// See SessionContext. `place` is kThisMachine, or the address of another.
  std::function<void(std::string_view place, std::uint32_t pid)> joined = [](std::string_view,
                                                                             std::uint32_t) {};
  std::function<void(int at_once)> joined_nameless = [](int) {};
  /// One sentence for the log, the first time that such a thing happens.
  std::function<void(std::string_view sentence)> complain = [](std::string_view) {};
  /// Between two looks at who says nothing, or has not said all. Who does that from one to the next
  /// but one is told of.
  sys::Duration look_every = std::chrono::seconds(5);
};

/// Serves one round of PyTorch's TCPStore protocol from an event loop: one thread, all requests of
/// one read answered by one write, no name looked up. Nothing that a client sends or leaves out
/// ends it or keeps it from the others.
class Server {
 public:
  /// `listener` and `loop` outlive it. Error: the loop cannot watch the listener's sockets.
  static Result<std::unique_ptr<Server>> start(sys::EventLoop& loop, const sys::Listener& listener,
                                               ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  struct Connection {
    Connection(sys::UniqueFd socket, ClientId id, std::string place, SessionContext& context)
        : fd(std::move(socket)), session(id, std::move(place), context) {}

    std::size_t unsent() const { return out.size() - sent; }

    sys::UniqueFd fd;
    Session session;
    std::string out;       ///< answers that the kernel did not take at once …
    std::size_t sent = 0;  ///< … and how many bytes of them it has taken since
    std::uint64_t serial = 0;
    std::uint64_t half_after = 0;  ///< how many requests were whole before the one that is not …
    std::uint32_t half_since = 0;  ///< … and the look before it began; 0: none has been seen
    bool ended = false;            ///< the client says nothing any more, but reads
  };

  Server(sys::EventLoop& loop, const sys::Listener& listener, ServerOptions options);

  Result<void> watch_listener();
  void accept_from(sys::BorrowedFd listening);
  void add(sys::UniqueFd socket, const sys::Address& address);
  void no_room();
  void listen_again();
  bool close_oldest_silent();
  Connection* oldest_silent() const;
  void later(sys::Duration delay, std::function<void()> action);
  void look_later();
  void look_for_odd_ones();
  void note_half(Connection& connection);
  void note_gone(const Connection& connection);

  void on_ready(ClientId client, std::uint32_t events);
  void receive(Connection& connection);
  void take(Connection& connection, std::string_view bytes);
  void settle(ClientId client, std::uint64_t serial);
  void wake(const std::vector<ClientId>& clients);
  bool send(Connection& connection, std::string& answers);
  bool write_out(Connection& connection);
  bool watch_for(Connection& connection);
  void refuse(Connection& connection, Refusal refusal);
  void close(Connection& connection);
  bool is_allowed(const sys::Address& address) const;

  sys::EventLoop& loop_;
  const sys::Listener& listener_;
  ServerOptions options_;
  KeySpaces spaces_;
  SessionContext context_;
  std::vector<std::unique_ptr<Connection>> connections_;  ///< by descriptor, which is the ClientId
  std::uint64_t next_serial_ = 0;
  Complaints complaints_;
  std::size_t open_ = 0;                   ///< connections
  int left_silent_ = 0;                    ///< who have come and gone without a word
  bool serves_older_ = false;              ///< whose second connections are silent
  bool looks_ = false;                     ///< is about to look for odd ones
  std::uint32_t look_ = 1;                 ///< this is the next
  std::uint64_t serial_at_last_look_ = 0;  ///< who was there then is older
  std::unique_ptr<char[]> buffer_;         ///< what is read, of whomever
  std::string answers_;                    ///< what is sent next
  std::shared_ptr<char> alive_ = std::make_shared<char>();  ///< timers look whether we are there
};

}  // namespace trainit::store
