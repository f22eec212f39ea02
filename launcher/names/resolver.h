#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "names/batch.h"
#include "sys/event_loop.h"

namespace trainit::names {

/// Looks up host names, many at a time, without a thread: /etc/hosts, then DNS, as
/// /etc/nsswitch.conf and /etc/resolv.conf say. The files are read anew for each look-up, because
/// all of them may change while a cluster starts.
class Resolver {
 public:
  /// `loop` outlives this.
  explicit Resolver(sys::EventLoop& loop, Servers servers = {});
  ~Resolver();  ///< whoever waits is not called any more
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// A literal address is its own answer, and "localhost" is 127.0.0.1 without any file. Ends
  /// within `timeout`: with the addresses that have come until then, if any.
  void look_up(const std::string& name, sys::Duration timeout, Found found);

 private:
  void begin_next_after(sys::Duration pause);
  void begin_next();

  sys::EventLoop& loop_;
  Servers servers_;
  std::vector<std::shared_ptr<Batch>> batches_;
  std::optional<sys::EventLoop::TimerId> next_;  ///< when the next batch begins
};

}  // namespace trainit::names
