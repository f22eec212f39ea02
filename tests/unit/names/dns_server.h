#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sys/address.h"
#include "sys/event_loop.h"
#include "sys/unique_fd.h"

/// A DNS server of the loopback interface, over UDP and TCP, served by the test's own event loop.
class DnsServer {
 public:
  enum Code { kNoError = 0, kServerFailed = 2, kNoSuchName = 3, kRefused = 5 };
  /// What it knows of a name.
  struct Entry {
    std::vector<std::string> addresses;
    Code code = kNoError;
    bool answers_ipv4 = true;  ///< to questions for such addresses
    bool answers_ipv6 = true;
    bool truncated = false;  ///< over UDP, so that TCP has to be used
    trainit::sys::Duration delay = {};
  };

  /// `port` 0: one that is free.
  explicit DnsServer(trainit::sys::EventLoop& loop, const std::string& address = "127.0.0.1",
                     int port = 0);
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  /// Of names that are not here there is none.
  std::map<std::string, Entry> names;
  std::vector<std::string> asked;  ///< "AAAA host-1", in order

  std::uint16_t port() const { return port_; }

 private:
  bool bind(const trainit::sys::Address& address, int port);
  void take_datagrams();
  void accept_connection();
  void answer(std::string_view question, bool udp, const std::function<void(std::string)>& send);

  trainit::sys::EventLoop& loop_;
  std::uint16_t port_ = 0;
  trainit::sys::UniqueFd udp_, tcp_;
  std::vector<trainit::sys::UniqueFd> connections_;
};
