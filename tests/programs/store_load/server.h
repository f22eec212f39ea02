// The server that is loaded, seen from outside.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "exchange.h"

namespace store_load {

constexpr int kSilenceMs = 60'000;  // after which no answer is expected any more

// Fails with the sentence and errno.
void need(bool well, const std::string& what);

// Seconds of the monotonic clock.
double now();

// All of it at once: what is asked here is smaller than any socket's buffer.
void send_all(int fd, std::string_view bytes);

// All that is there, which may be nothing, until the next call. The end of the connection fails.
std::string_view receive(int fd);

// Sends, and waits until all is answered.
void ask(int fd, Exchange exchange);

class Server {
 public:
  // An IPv4 address, a port, and the process whose CPU time and memory count.
  Server(const char* address, const char* port, const char* pid);

  // A socket that is connected or about to be.
  int begin_connect() const;
  // Connections whose PING was answered.
  int connected() const;
  std::vector<int> connected(std::size_t count) const;

  double cpu_seconds() const;  // of all its threads
  std::int64_t resident_bytes() const;
  // Until it has done nothing for 50 ms.
  void wait_until_idle() const;

 private:
  sockaddr_in address_{};
  clockid_t cpu_clock_{};
  std::string memory_file_;
};

}  // namespace store_load
