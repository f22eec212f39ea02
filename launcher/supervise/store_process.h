#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sys/address.h"
#include "sys/event_loop.h"
#include "sys/line_pipe.h"
#include "sys/listener.h"
#include "trainit/result.h"

namespace trainit::supervise {

/// The rendezvous store of one round, in a child of ours: what strangers send is read there, and a
/// crash ends the child alone. The listening sockets stay ours, so that there is no moment at which
/// the port is free, and the next round's child begins on them with no keys and no connections.
class StoreProcess {
 public:
  struct Setup {
    const sys::Listener& listener;  ///< outlives this
    int world_size = 1;
    std::vector<sys::AddressRange> allowed;
  };
  struct Callbacks {
    /// A process has come to init_process_group, from another machine or, without an address, from
    /// this one.
    std::function<void(const std::optional<sys::Address>& from, pid_t process)> joined;
    /// So many were there at once whose torch does not tell who they are: more than ever before.
    std::function<void(int at_once)> joined_nameless;
    /// One sentence for the log.
    std::function<void(std::string_view sentence)> complain;
  };

  explicit StoreProcess(Setup setup);

  /// Forks it. `loop` outlives this, or `forget`. Error: the kernel has no process or pipe left.
  Result<void> start(sys::EventLoop& loop, Callbacks callbacks);
  /// Where it is to serve.
  const sys::Listener& listener() const { return setup_.listener; }
  /// -1: it does not run, or was reaped.
  pid_t pid() const { return pid_; }
  /// Ends it; it is still to be reaped.
  void end();
  /// The same, for good: the port is free again, also while the kernel still clears up behind it.
  void retire();
  /// It was reaped.
  void forget();

 private:
  [[noreturn]] void serve(pid_t parent, int reports) const;
  void read_report(std::string_view line) const;
  void read_join(std::string_view text) const;

  Setup setup_;
  Callbacks callbacks_;
  pid_t pid_ = -1;
  sys::LinePipe reports_;  ///< what the child tells
};

}  // namespace trainit::supervise
