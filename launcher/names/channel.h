#pragma once

#include <ares.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sys/address.h"
#include "sys/event_loop.h"
#include "trainit/result.h"

namespace trainit::names {

/// The addresses of a name, each once, those of IPv4 first; or why there are none.
using Answer = Result<std::vector<sys::Address>>;

/// Where DNS is asked.
struct Servers {
  std::string resolv_conf = "/etc/resolv.conf";  ///< names the servers
  std::uint16_t port = 53;                       ///< of all of them
};

/// A channel of c-ares, whose sockets and times are those of an event loop. It knows the servers
/// that the files named when it was opened.
class Channel {
 public:
  /// `worked` is called from the loop whenever answers may have come, and may destroy this. Error:
  /// there is no memory for it.
  static Result<std::unique_ptr<Channel>> open(sys::EventLoop& loop, const Servers& servers,
                                               std::function<void()> worked);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Fills `answer`, which outlives this, perhaps at once.
  void ask(const std::string& name, std::optional<Answer>& answer);
  /// Fills all answers that have not come, with what has come until now.
  void give_up();

 private:
  struct Question {
    Channel& channel;
    std::optional<Answer>& answer;
  };

  Channel(sys::EventLoop& loop, const Servers& servers, std::function<void()> worked);
  static void answered(void* question, int status, int timeouts, ares_addrinfo* info);
  static void changed(void* channel, int fd, int readable, int writable);
  void wait_for(int fd, std::uint32_t events);
  void process(int readable, int writable);
  void set_timer();
  Error error(int status) const;
  std::string why_unanswered() const;
  bool asks_dns() const;
  std::string server_texts() const;

  sys::EventLoop& loop_;
  Servers servers_;
  std::function<void()> worked_;
  ares_channel channel_ = nullptr;
  std::deque<Question> questions_;
  std::set<int> watched_;
  std::string refused_watch_;  ///< why a socket could not be watched
  sys::EventLoop::TimerId timer_ = 0;
};

}  // namespace trainit::names
