#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "names/channel.h"
#include "sys/event_loop.h"

namespace trainit::names {

/// The addresses of a name, each once, those of IPv4 first; or why there are none, as a few words:
/// "no such name", "no DNS server could answer: 10.0.0.2". Called from the loop, never from
/// within the look-up, once at most.
using Found = std::function<void(const Answer& addresses)>;

/// Names that are looked up at the same moment and share one channel, so that a thousand of them
/// cost a few sockets.
class Batch : public std::enable_shared_from_this<Batch> {
 public:
  /// Ends within `timeout` from now, also when nobody has begun it. `answered` is called from the
  /// loop when all names are answered in that time, after everybody was told, unless this was
  /// closed before.
  Batch(sys::EventLoop& loop, const Servers& servers, sys::Duration timeout,
        std::function<void()> answered);
  ~Batch() { close(); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  /// Whether one more name with this timeout can be added.
  bool takes(sys::Duration timeout) const;
  void add(const std::string& name, Found found);
  /// Reads the files and asks. From the loop only, and once.
  void begin();
  bool begun() const { return begun_; }
  /// All names are answered, and everybody was told; or it was closed.
  bool over() const { return closed_; }
  /// Nobody is called any more.
  void close();

 private:
  struct Query {
    std::string name;
    Found found;
    std::optional<Answer> answer;
  };

  void give_up();
  void deliver();

  sys::EventLoop& loop_;
  Servers servers_;
  sys::Duration timeout_;
  bool begun_ = false;
  bool closed_ = false;
  std::function<void()> answered_;  ///< empty when its time is over
  sys::EventLoop::TimerId deadline_;
  std::list<Query>
      queries_;  ///< that nobody was told of; the channel knows where their answers are
  std::unique_ptr<Channel> channel_;
};

}  // namespace trainit::names
