#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sys/address.h"
#include "sys/event_loop.h"
#include "trainit/result.h"

namespace trainit::sys {

/// Looks up host names, many at a time, without a thread: /etc/hosts, then DNS, as
/// /etc/nsswitch.conf and /etc/resolv.conf say. The files are read anew for each look-up, because
/// both may change while a cluster starts.
class Resolver {
 public:
  /// The addresses of a name, each once, those of IPv4 first; or why there are none: "no such name
  /// (NXDOMAIN)", "no DNS server answered". Called from the loop, never from within `look_up`, once
  /// at most.
  using Found = std::function<void(const Result<std::vector<Address>>& addresses)>;

  /// `loop` outlives this.
  explicit Resolver(EventLoop& loop);
  ~Resolver();  ///< whoever waits is not called any more
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// A literal address is its own answer. Ends within `timeout`.
  void look_up(const std::string& name, Duration timeout, Found found);

 private:
  class Channel;
  EventLoop& loop_;
  std::vector<std::unique_ptr<Channel>> channels_;
};

}  // namespace trainit::sys
