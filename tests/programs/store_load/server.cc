#include "server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace store_load {

namespace {

double seconds_of(clockid_t clock) {
  timespec time{};
  need(clock_gettime(clock, &time) == 0, "the clock");
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

void need(bool well, const std::string& what) {
  if (!well) fail(what + ": " + std::strerror(errno));
}

double now() { return seconds_of(CLOCK_MONOTONIC); }

void send_all(int fd, std::string_view bytes) {
  const ssize_t count = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  need(count >= 0, "sending");
  if (static_cast<std::size_t>(count) != bytes.size()) fail("the server does not read");
}

std::string_view receive(int fd) {
  static std::array<char, 65536> buffer;
  const ssize_t count = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count < 0 && errno == EAGAIN) return {};
  need(count >= 0, "receiving");
  if (count == 0) fail("the server has closed a connection");
  return {buffer.data(), static_cast<std::size_t>(count)};
}

void ask(int fd, Exchange exchange) {
  send_all(fd, exchange.request);
  while (!exchange.answered()) {
    pollfd ready{fd, POLLIN, 0};
    if (poll(&ready, 1, kSilenceMs) == 0) fail("no answer");
    check(exchange, receive(fd));
  }
}

Server::Server(const char* address, const char* port, const char* pid)
    : memory_file_(std::string("/proc/") + pid + "/smaps_rollup") {
  address_.sin_family = AF_INET;
  address_.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  if (inet_pton(AF_INET, address, &address_.sin_addr) != 1) fail("ADDRESS is not one of IPv4");
  errno = clock_getcpuclockid(std::atoi(pid), &cpu_clock_);
  need(errno == 0, "the server's CPU clock");
}

int Server::begin_connect() const {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  need(fd >= 0, "a socket");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto* address = reinterpret_cast<const sockaddr*>(&address_);
  need(connect(fd, address, sizeof address_) == 0 || errno == EINPROGRESS, "connecting");
  return fd;
}

int Server::connected() const {
  const int fd = begin_connect();
  pollfd ready{fd, POLLOUT, 0};
  if (poll(&ready, 1, kSilenceMs) == 0) fail("no connection");
  Exchange greeting;
  validate(greeting);
  ping(greeting);
  ask(fd, greeting);
  return fd;
}

std::vector<int> Server::connected(std::size_t count) const {
  std::vector<int> result;
  while (result.size() < count) result.push_back(connected());
  return result;
}

void Server::wait_until_idle() const {
  const double end = now() + kSilenceMs / 1e3;
  for (double before = -1, cpu = 0; before != cpu;) {
    if (now() > end) fail("the server does not come to rest");
    before = cpu_seconds();
    poll(nullptr, 0, 50);
    cpu = cpu_seconds();
  }
}

std::int64_t Server::resident_bytes() const {
  std::ifstream file(memory_file_);
  for (std::string word; file >> word;)
    if (std::int64_t kib = 0; word == "Rss:" && file >> kib) return kib * 1024;
  fail("cannot read " + memory_file_);
}

double Server::cpu_seconds() const { return seconds_of(cpu_clock_); }

}  // namespace store_load
