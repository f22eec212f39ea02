#pragma once

#include "sys/unique_fd.h"
#include "trainit/result.h"

namespace trainit::sys {

/// A TCP port kept for a worker that will listen on it. The socket is bound and never listens, with
/// SO_REUSEADDR: a server that sets this option too (as PyTorch's and JAX's do) can still bind and
/// listen, everybody else gets EADDRINUSE, and the kernel hands the number out to nobody.
class ReservedPort {
 public:
  /// Keeps `port`, or a free one of the kernel's choice when it is 0, for IPv6 and IPv4 alike (IPv4
  /// alone where there is no IPv6). Error: "port 29500 is taken", "no port is free", or what the
  /// kernel says.
  static Result<ReservedPort> reserve(int port);

  int number() const { return number_; }

 private:
  ReservedPort(UniqueFd socket, int number) : socket_(std::move(socket)), number_(number) {}

  UniqueFd socket_;
  int number_;
};

}  // namespace trainit::sys
