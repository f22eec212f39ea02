#pragma once

#include <sys/types.h>

namespace trainit::supervise {

/// The terminal that our stdin may be, and whose foreground it serves: job control as a shell knows
/// it, for a worker that leads a process group of its own. Where stdin is no terminal, or we are in
/// its background, nothing here does anything.
class Terminal {
 public:
  /// Looks whether our process group is the foreground group of stdin's terminal.
  void look();
  /// Whether a worker that gets our stdin is to become the foreground group.
  bool ours_to_give() const { return ours_; }

  /// Makes a worker's group the foreground group, if ours is that now. Tells whether it did.
  bool give_to(pid_t group) const;
  /// Makes our own group the foreground group again, if a worker's is that now: when somebody has
  /// put all of us into the background, the terminal is his.
  void take_back_from(pid_t group) const;

  /// Stops our whole process group by a signal of the terminal, which would have stopped it, had we
  /// not put the worker into another; returns when somebody continues us. Does nothing where nobody
  /// could continue us: as PID 1 and as the leader of our session. Tells whether it did anything.
  static bool suspend_ourselves(int signal);

 private:
  bool ours_ = false;
};

}  // namespace trainit::supervise
