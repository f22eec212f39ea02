#pragma once

#include <string>
#include <vector>

#include "sys/address.h"
#include "sys/unique_fd.h"
#include "trainit/result.h"

namespace trainit::sys {

/// Sockets that listen on one TCP port at one or more addresses. Connections queue in the kernel
/// until somebody accepts them, be it this process or a child of it.
class Listener {
 public:
  /// Listens at each of `addresses` that this machine has; `port` 0: a free one. Error: "port 29500
  /// is taken", "no port is free", none of the addresses is there, or the kernel refuses it.
  static Result<Listener> open(const std::vector<Address>& addresses, int port);

  int port() const { return port_; }
  /// Where it listens: those of the asked for that there are.
  const std::vector<Address>& addresses() const { return addresses_; }
  /// Non-blocking and close-on-exec, one an address.
  const std::vector<UniqueFd>& sockets() const { return sockets_; }
  /// Closes the connections that nobody has accepted yet, whose peers are known to be gone.
  void drop_waiting() const;

 private:
  Listener() = default;
  int add(const Address& address);
  static int free_port_at(const Address& address);

  std::vector<UniqueFd> sockets_;
  std::vector<Address> addresses_;
  int port_ = 0;
};

/// What one try to accept a connection gave.
struct Accepted {
  enum class Result {
    kConnection,  ///< `socket`, non-blocking and close-on-exec, and where it comes from
    kNobody,      ///< nobody waits
    kNoRoom,      ///< the kernel has no descriptor or memory; errno says which
    kGone,        ///< this one was gone before it was accepted
  } result = Result::kNobody;
  UniqueFd socket;
  Address address;
};
Accepted accept_from(BorrowedFd listening);

/// What to say of a port that cannot be had, or of any where `port` is 0: "port 29500 is taken",
/// "no port is free".
std::string taken_text(int port);

/// The port that a TCP socket is bound to.
int port_of(BorrowedFd socket);

/// Whether a connection from this address, which is that of a network, was made on this machine:
/// its other end has the same address.
bool is_from_here(BorrowedFd connection, const Address& address);

}  // namespace trainit::sys
