#include "plan/signal_rules.h"

#include <signal.h>

#include <algorithm>
#include <utility>

namespace trainit {
namespace {

/// Signals that mean something to the workers. Faults, SIGPIPE and timers are the receiver's own
/// affair.
bool means_something_to_workers(int signal) {
  constexpr int kForwarded[] = {SIGHUP,  SIGINT,   SIGQUIT, SIGUSR1, SIGUSR2,
                                SIGCONT, SIGWINCH, SIGXCPU, SIGPWR};
  return std::find(std::begin(kForwarded), std::end(kForwarded), signal) != std::end(kForwarded) ||
         (signal >= SIGRTMIN && signal <= SIGRTMAX);
}

}  // namespace

SignalRules::SignalRules(Stops stops, std::map<int, int> rewrites)
    : stops_(stops), rewrites_(std::move(rewrites)) {}

int SignalRules::rewrite(int signal) const {
  const auto rule = rewrites_.find(signal);
  return rule == rewrites_.end() ? signal : rule->second;
}

SignalFate SignalRules::fate(int signal) const {
  if (signal == 0) return SignalFate::kNothing;
  if (signal == SIGCHLD) return SignalFate::kReap;
  if (signal == SIGTERM) return SignalFate::kStop;
  if (signal == SIGINT && stops_ == Stops::kTermAndInt) return SignalFate::kStop;
  if (signal == SIGTSTP) return SignalFate::kSuspend;
  const bool forward = means_something_to_workers(signal) || is_made_by_a_rule(signal);
  return forward ? SignalFate::kForward : SignalFate::kNothing;
}

bool SignalRules::is_made_by_a_rule(int signal) const {
  return std::any_of(rewrites_.begin(), rewrites_.end(),
                     [&](const auto& rule) { return rule.second == signal; });
}

std::vector<int> SignalRules::stops() const {
  std::vector<int> stops;
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (fate(rewrite(signal)) == SignalFate::kStop) stops.push_back(signal);
  }
  return stops;
}

std::set<int> SignalRules::dropped() const {
  std::set<int> dropped;
  for (const auto& [from, to] : rewrites_) {
    if (to == 0) dropped.insert(from);
  }
  return dropped;
}

}  // namespace trainit
