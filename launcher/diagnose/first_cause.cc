#include <signal.h>

#include <algorithm>
#include <tuple>

#include "diagnose/evidence.h"
#include "diagnose/exit_codes.h"

namespace trainit::diagnose {
namespace {

constexpr sys::TimePoint kUnknown{};

/// Of a process that is killed its peers know before we do: the kernel closes its connections
/// first. Their end may be seen, and answered, before its own.
constexpr sys::Duration kOnItsWay = std::chrono::milliseconds(100);

bool crashed(const Evidence& evidence) {
  constexpr int kCrashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
  return std::find(std::begin(kCrashes), std::end(kCrashes), signal_behind(evidence.status)) !=
         std::end(kCrashes);
}

bool failed(const Evidence& evidence) {
  return evidence.spawn_error.has_value() || !evidence.status.success();
}

/// True when an error was the end of what the worker had to say. One that it survived, and only
/// logged, explains nothing of its end when we stopped it.
bool ended_with_error(const Evidence& evidence) {
  return evidence.error && !evidence.error->only_last_lines() && evidence.error->last_words();
}

bool raised_before_the_stop(const Evidence& evidence) {
  return ended_with_error(evidence) && evidence.first_error_at != kUnknown &&
         evidence.told_at != kUnknown && evidence.first_error_at < evidence.told_at;
}

CauseClass class_by_status(const Evidence& evidence) {
  if (evidence.status.signal == SIGPIPE) return CauseClass::kCommunication;
  if (signal_behind(evidence.status) != 0) return CauseClass::kForeignSignal;
  const bool communication = evidence.error && evidence.error->communication;
  return communication ? CauseClass::kCommunication : CauseClass::kException;
}

CauseClass class_of(const Evidence& evidence) {
  if (evidence.spawn_error) return CauseClass::kExecFailure;
  if (evidence.oom) return CauseClass::kOutOfMemory;
  if (!evidence.stopped_by_us)
    return evidence.gpu_fault ? CauseClass::kGpuFault : class_by_status(evidence);
  if (killed_from_outside(evidence) && evidence.told_at != kUnknown &&
      evidence.exited_at - evidence.told_at <= kOnItsWay)
    return CauseClass::kForeignSignal;
  // Its end may be our doing by now: only its error speaks.
  if (!raised_before_the_stop(evidence)) return CauseClass::kStopped;
  if (evidence.gpu_fault) return CauseClass::kGpuFault;
  return evidence.error->communication ? CauseClass::kCommunication : CauseClass::kException;
}

/// True when a worker that we were stopping failed in a way that no stop signal explains.
bool failed_while_stopping(const Evidence& evidence) {
  if (crashed(evidence) || killed_from_outside(evidence)) return true;
  if (evidence.status.signal != 0 || signal_behind(evidence.status) != 0) return false;
  if (!ended_with_error(evidence) || evidence.error->communication) return false;
  constexpr std::string_view kOfTheStop[] = {"KeyboardInterrupt", "SystemExit", "Signal", "signal",
                                             "SIGTERM"};
  const std::string& summary = evidence.error->summary;
  return std::none_of(std::begin(kOfTheStop), std::end(kOfTheStop), [&](std::string_view word) {
    return summary.find(word) != std::string::npos;
  });
}

struct Ranked {
  CauseClass kind;
  const Evidence* evidence;

  sys::TimePoint moment() const {
    return kind == CauseClass::kGpuFault ? evidence->gpu_fault->at : failed_at(*evidence);
  }
  bool by_link() const {
    return kind == CauseClass::kGpuFault && hardware::may_be_anothers(*evidence->gpu_fault);
  }
  auto key() const {
    return std::tuple(kind, by_link(), moment(), evidence->exited_at, evidence->rank);
  }
  bool operator<(const Ranked& other) const { return key() < other.key(); }
};

std::vector<Ranked> rank_failures(std::span<const Evidence* const> gathered) {
  std::vector<Ranked> ranked;
  for (const Evidence* evidence : gathered) {
    if (failed(*evidence)) ranked.push_back({class_of(*evidence), evidence});
  }
  std::sort(ranked.begin(), ranked.end());
  return ranked;
}

/// Takes the stopped workers that explain errors of communication up into their class.
void promote_stopped(std::vector<Ranked>& ranked) {
  for (Ranked& one : ranked) {
    if (one.kind != CauseClass::kStopped) continue;
    if (one.evidence->gpu_fault) {
      one.kind = CauseClass::kGpuFault;
    } else if (failed_while_stopping(*one.evidence)) {
      one.kind = class_by_status(*one.evidence);
    }
  }
  std::sort(ranked.begin(), ranked.end());
}

/// Who is as near to the root as the first, on another host, and perhaps was earlier.
const Evidence* rival_of_first(std::span<const Ranked> ranked, sys::Duration clock_error) {
  const Ranked& first = ranked.front();
  const auto rivals = [&](const Ranked& other) {
    return other.kind == first.kind && other.by_link() == first.by_link() &&
           other.evidence->host != first.evidence->host &&
           other.moment() - first.moment() <= clock_error;
  };
  if (first.kind == CauseClass::kStopped || clock_error <= sys::Duration::zero()) return nullptr;
  const auto found = std::find_if(ranked.begin() + 1, ranked.end(), rivals);
  return found == ranked.end() ? nullptr : found->evidence;
}

}  // namespace

sys::TimePoint failed_at(const Evidence& evidence) {
  const bool went_on = evidence.error && !evidence.error->last_words();
  return evidence.first_error_at == kUnknown || went_on ? evidence.exited_at
                                                        : evidence.first_error_at;
}

bool killed_from_outside(const Evidence& evidence) {
  return evidence.status.signal == SIGKILL && !evidence.killed_by_us;
}

bool may_be_ended_by_us(const Evidence& evidence) {
  return evidence.stopped_by_us && signal_behind(evidence.status) != 0 && !crashed(evidence) &&
         !killed_from_outside(evidence);
}

const Evidence* worst_after_stop(std::span<const Evidence* const> gathered, int stop_signal) {
  const auto ended_by = [](const Evidence& evidence, int signal) {
    return evidence.status.shell_code() == sys::ExitStatus::killed(signal).shell_code();
  };
  const auto failed_by_itself = [&](const Evidence* evidence) {
    return failed(*evidence) && !ended_by(*evidence, stop_signal) &&
           !ended_by(*evidence, SIGTERM) && !ended_by(*evidence, SIGKILL);
  };
  auto worst = std::find_if(gathered.begin(), gathered.end(), failed_by_itself);
  if (worst == gathered.end()) {
    worst = std::find_if(gathered.begin(), gathered.end(),
                         [](const Evidence* evidence) { return failed(*evidence); });
  }
  return worst == gathered.end() ? nullptr : *worst;
}

FirstCause decide(std::span<const Evidence> gathered) {
  std::vector<const Evidence*> pointers;
  pointers.reserve(gathered.size());
  for (const Evidence& evidence : gathered) pointers.push_back(&evidence);
  return decide(pointers);
}

FirstCause decide(std::span<const Evidence* const> gathered, sys::Duration clock_error) {
  std::vector<Ranked> ranked = rank_failures(gathered);
  if (ranked.empty()) return {};
  if (ranked.front().kind == CauseClass::kCommunication) promote_stopped(ranked);
  FirstCause cause;
  cause.rival = rival_of_first(ranked, clock_error);
  for (const Ranked& one : ranked) {
    if (one.kind == CauseClass::kStopped) continue;
    if (cause.evidence == nullptr) {
      cause.evidence = one.evidence;
      cause.kind = one.kind;
    } else {
      cause.consequences.push_back(one.evidence);
    }
  }
  return cause;
}

}  // namespace trainit::diagnose
