#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store/wire.h"
#include "sys/event_loop.h"
#include "sys/unique_fd.h"
#include "trainit/result.h"

namespace trainit::store {

/// A client's end of one connection to a store. Every call has a deadline; the first that fails for
/// another reason than its own wait breaks the connection, and so all that follow.
class Connection {
 public:
  /// Connects and greets the server, again and again until the deadline.
  static Result<Connection> open(const std::string& address, int port, sys::TimePoint deadline);

  /// Sends a request.
  Result<void> send(const RequestWriter& request, sys::TimePoint deadline);
  /// Fields of its answer.
  Result<std::int64_t> number(sys::TimePoint deadline);
  Result<std::string> text(sys::TimePoint deadline);
  Result<char> byte(sys::TimePoint deadline);

  /// Waits for the one byte that ends a wait, and cancels that when the deadline passes, which the
  /// server has to answer until `answered`. Error: it has passed; the connection is as good as
  /// before.
  Result<void> end_of_wait(sys::TimePoint deadline, sys::TimePoint answered);

 private:
  Connection(sys::UniqueFd socket, std::string peer)
      : socket_(std::move(socket)), peer_(std::move(peer)) {}

  Result<std::string> receive(std::size_t size, sys::TimePoint deadline);
  Result<void> fill(std::size_t size, sys::TimePoint deadline);
  Result<void> cancel_wait(sys::TimePoint deadline);
  tl::unexpected<Error> broken(std::string_view what);

  sys::UniqueFd socket_;  ///< none: broken
  std::string peer_;
  std::string came_;  ///< received, and not asked for yet
};

}  // namespace trainit::store
