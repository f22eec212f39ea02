#include "diagnose/verdict.h"

#include <fmt/core.h>

#include <algorithm>

#include "diagnose/exit_codes.h"
#include "diagnose/failure_text.h"

namespace trainit::diagnose {
namespace {

using Pointers = std::vector<const Evidence*>;

Pointers evidence_of(std::span<const HostEnd> ends) {
  Pointers all;
  for (const HostEnd& end : ends) {
    for (const Evidence& evidence : end.evidence) all.push_back(&evidence);
  }
  return all;
}

int exit_code_of(const Evidence& evidence) {
  return evidence.spawn_error ? evidence.spawn_error->exit_code() : evidence.status.shell_code();
}

/// The code of the cause. A worker that had its error first but ended because we told it to has
/// none of its own; then it is the code of the worker whose end made us stop the others.
int code_of(const FirstCause& cause, const Pointers& gathered) {
  const Evidence& evidence = *cause.evidence;
  const bool struck = signal_behind(evidence.status) != 0 && !may_be_ended_by_us(evidence);
  if (!evidence.stopped_by_us || struck) return exit_code_of(evidence);
  for (const Evidence* other : gathered) {
    if (!other->stopped_by_us && exit_code_of(*other) != 0) return exit_code_of(*other);
  }
  return exit_code_of(evidence);
}

/// When the cause showed itself.
sys::TimePoint moment_of(const FirstCause& cause) {
  const Evidence& evidence = *cause.evidence;
  if (cause.kind == CauseClass::kGpuFault) return evidence.gpu_fault->at;
  return failed_at(evidence);
}

/// Whichever of them failed did so because of something that is no worker.
void excuse_workers(FirstCause& cause) {
  if (cause.evidence != nullptr)
    cause.consequences.insert(cause.consequences.begin(), cause.evidence);
  cause.evidence = cause.rival = nullptr;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void name_first_cause(Verdict& verdict) {
  verdict.lines.push_back("first cause: " + first_line(verdict.failure));
}

/// Makes the verdict of what is known, in the order of what explains most.
class Judge {
 public:
  Judge(std::span<const HostEnd> ends, std::span<const LostHost> lost, sys::Duration clock_error,
        const std::optional<ToldStop>& told)
      : ends_(ends),
        lost_(lost),
        clock_error_(clock_error),
        told_(told),
        gathered_(evidence_of(ends)) {
    judgement_.cause = decide(gathered_, clock_error);
  }

  Judgement judge() {
    if (const HostEnd* end = in_trouble()) {
      blame_set_up(*end);
    } else if (const HostEnd* serving = with_lost_store()) {
      blame_store(*serving);
    } else if (told_of_failure()) {
      blame_told();
    } else if (const LostHost* host = first_lost()) {
      blame_host(*host);
    } else if (judgement_.cause.evidence != nullptr) {
      blame_worker();
    } else if (!all_well()) {
      explain_stop();
    }
    return std::move(judgement_);
  }

 private:
  bool all_well() const {
    return lost_.empty() && !ends_.empty() &&
           std::all_of(ends_.begin(), ends_.end(), [](const HostEnd& end) { return end.success; });
  }

  const HostEnd* in_trouble() const {
    const auto found = std::find_if(ends_.begin(), ends_.end(),
                                    [](const HostEnd& end) { return !end.trouble.empty(); });
    return found == ends_.end() ? nullptr : &*found;
  }

  /// A store that is gone explains whatever came after it, and every error of communication.
  const HostEnd* with_lost_store() const {
    const auto found = std::find_if(ends_.begin(), ends_.end(),
                                    [](const HostEnd& end) { return end.store.has_value(); });
    if (found == ends_.end()) return nullptr;
    if (found->reason == StopReason::kStoreEnded) return &*found;
    const bool explains =
        (found->reason == StopReason::kWorkerFailed || found->reason == StopReason::kNone) &&
        judgement_.cause.evidence != nullptr && judgement_.cause.kind == CauseClass::kCommunication;
    return explains ? &*found : nullptr;
  }

  /// The same goes for a host.
  const LostHost* first_lost() const {
    const auto first = std::min_element(
        lost_.begin(), lost_.end(),
        [](const LostHost& one, const LostHost& other) { return one.at < other.at; });
    return first == lost_.end() || worker_failed_by(first->at) ? nullptr : &*first;
  }

  bool worker_failed_by(sys::TimePoint time) const {
    const FirstCause& cause = judgement_.cause;
    return cause.evidence != nullptr && cause.kind != CauseClass::kCommunication &&
           moment_of(cause) + clock_error_ <= time;
  }

  /// Nothing came of how that host's part ended: it is lost, or whoever would know is.
  bool only_told() const {
    return told_ && std::none_of(ends_.begin(), ends_.end(),
                                 [&](const HostEnd& end) { return end.host == told_->host; });
  }

  /// And for a failure of which no more is known than what made all stop.
  bool told_of_failure() const {
    if (!only_told() || told_->reason == StopReason::kPlatform) return false;
    const bool lost_before = std::any_of(lost_.begin(), lost_.end(),
                                         [&](const LostHost& host) { return host.at < told_->at; });
    return !lost_before && !worker_failed_by(told_->at);
  }

  int host_of(const Evidence& evidence) const {
    const auto is_its = [&](const HostEnd& end) {
      return std::any_of(end.evidence.begin(), end.evidence.end(),
                         [&](const Evidence& one) { return &one == &evidence; });
    };
    return std::find_if(ends_.begin(), ends_.end(), is_its)->host_rank;
  }

  void blame_set_up(const HostEnd& end) {
    Verdict& verdict = judgement_.verdict;
    excuse_workers(judgement_.cause);
    verdict.exit_code = end.trouble_code;
    verdict.failure = end.host + ": " + end.trouble;
    name_first_cause(verdict);
  }

  void blame_store(const HostEnd& end) {
    Verdict& verdict = judgement_.verdict;
    excuse_workers(judgement_.cause);
    verdict.exit_code = 1;
    const bool stopped = end.stop_at != sys::TimePoint{};  // else nobody was left to be stopped
    const sys::Duration after = (stopped ? end.stop_at : end.ended_at) - end.started_at;
    verdict.failure = store_text(end.host, *end.store, end.oom_kills, after, gathered_);
    name_first_cause(verdict);
  }

  void blame_host(const LostHost& host) {
    Verdict& verdict = judgement_.verdict;
    excuse_workers(judgement_.cause);
    verdict.exit_code = 1;
    verdict.failure = lost_text(host.host, host.how, host.after, gathered_);
    name_first_cause(verdict);
    add_lost(&host);
  }

  void blame_told() {
    Verdict& verdict = judgement_.verdict;
    excuse_workers(judgement_.cause);
    verdict.exit_code = 1;
    verdict.failure = told_text(told_->host, told_->text, gathered_);
    name_first_cause(verdict);
    add_lost(nullptr);
  }

  void add_lost(const LostHost* named) {
    for (const LostHost& host : lost_) {
      if (&host != named) judgement_.verdict.lines.push_back(host.host + ": lost: " + host.how);
    }
  }

  void blame_worker() {
    Verdict& verdict = judgement_.verdict;
    const FirstCause& cause = judgement_.cause;
    verdict.exit_code = code_of(cause, gathered_);
    verdict.cause_rank = cause.evidence->rank;
    verdict.cause_host = host_of(*cause.evidence);
    verdict.failure = failure_text(cause);
    verdict.lines.push_back("first cause: " + summarize(*cause.evidence));
    if (cause.evidence->error && !cause.evidence->error->frame.empty())
      verdict.lines.push_back("  " + cause.evidence->error->frame);
    if (cause.rival != nullptr) {
      verdict.lines.push_back("  or, as the hosts' clocks leave it open: " +
                              summarize(*cause.rival));
    }
    constexpr std::size_t kMostConsequences = 64;
    for (const Evidence* consequence : cause.consequences) {
      if (consequence == cause.rival) continue;
      if (verdict.lines.size() > kMostConsequences) break;
      verdict.lines.push_back(describe_consequence(*cause.evidence, *consequence));
    }
  }

  /// Nobody failed by himself. The host that was asked to stop speaks, of several the first.
  void explain_stop() {
    Verdict& verdict = judgement_.verdict;
    const HostEnd* first = &ends_.front();
    for (const HostEnd& end : ends_) {
      if (end.stop_signal == 0) continue;
      if (first->stop_signal == 0 || end.stop_at < first->stop_at) first = &end;
    }
    const Evidence* worst = worst_after_stop(gathered_, first->stop_signal);
    verdict.exit_code = worst == nullptr ? 1 : exit_code_of(*worst);
    const bool elsewhere = only_told() && told_->signal != 0;
    verdict.failure = elsewhere ? stop_text(told_->host, told_->signal, told_->after, gathered_)
                                : stop_text(first->host, first->stop_signal,
                                            first->stop_at - first->started_at, gathered_);
    verdict.lines.push_back(first_line(verdict.failure));
  }

  std::span<const HostEnd> ends_;
  std::span<const LostHost> lost_;
  sys::Duration clock_error_;
  const std::optional<ToldStop>& told_;
  Pointers gathered_;
  Judgement judgement_;
};

}  // namespace

std::vector<Evidence> most_telling(std::vector<Evidence> gathered, std::size_t most) {
  if (gathered.size() <= most) return gathered;
  const FirstCause cause = decide(gathered);
  Pointers order;
  if (cause.evidence != nullptr) order.push_back(cause.evidence);
  order.insert(order.end(), cause.consequences.begin(), cause.consequences.end());
  for (const Evidence& evidence : gathered) {
    if (std::find(order.begin(), order.end(), &evidence) == order.end()) order.push_back(&evidence);
  }
  std::vector<Evidence> chosen;
  chosen.reserve(most);
  for (std::size_t index = 0; index < most; ++index) chosen.push_back(*order[index]);
  return chosen;
}

Judgement judge(std::span<const HostEnd> ends, std::span<const LostHost> lost,
                sys::Duration clock_error, const std::optional<ToldStop>& told) {
  return Judge(ends, lost, clock_error, told).judge();
}

}  // namespace trainit::diagnose
