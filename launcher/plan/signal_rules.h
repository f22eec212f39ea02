#pragma once

#include <map>
#include <set>
#include <vector>

/// By which rules the signals that come to us are passed on. Pure; sys/signals.h does the rest.
namespace trainit {

/// What is done with a signal that we get.
enum class SignalFate {
  kNothing,  ///< the receiver's own affair
  kForward,  ///< passed on to each worker
  kStop,     ///< begins the stop of the job, or shortens it
  kSuspend,  ///< the terminal's Ctrl-Z: workers stop, and so do we
  kReap,     ///< a child has ended or stopped
};

class SignalRules {
 public:
  /// A job stops on SIGTERM and SIGINT; `trainit exec` only on SIGTERM, and passes SIGINT on.
  enum class Stops { kTermAndInt, kTermOnly };
  /// `rewrites`: signal → what it is taken for, as `--rewrite` has it; 0: it is dropped.
  explicit SignalRules(Stops stops = Stops::kTermAndInt, std::map<int, int> rewrites = {});

  /// What a signal is taken for; 0: it was dropped.
  int rewrite(int signal) const;
  /// What is done with a signal after its rewriting. What a rule has made of another is always
  /// passed on, be it a signal that otherwise would not be.
  SignalFate fate(int signal) const;
  /// The signals that ask for a stop when they come.
  std::vector<int> stops() const;
  /// Signals that the rules drop.
  std::set<int> dropped() const;

 private:
  bool is_made_by_a_rule(int signal) const;

  Stops stops_;
  std::map<int, int> rewrites_;
};

}  // namespace trainit
