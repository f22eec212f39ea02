#include "referee.h"

#include <fmt/core.h>

#include <algorithm>

#include "round.h"

namespace trainit::simulation {

namespace message = coordination::message;

namespace {

bool same(const diagnose::Verdict& one, const diagnose::Verdict& other) {
  return one.exit_code == other.exit_code && one.failure == other.failure;
}

/// For how long its workers ran before anything went wrong.
sys::Duration uptime_of(const diagnose::HostEnd& end) {
  const sys::TimePoint last =
      end.stop_at == sys::TimePoint() ? end.ended_at : std::min(end.stop_at, end.ended_at);
  return last - end.started_at;
}

}  // namespace

void Referee::hears(int host, const coordination::Message& message) {
  if (judged_ || gone_.contains(host)) return;
  if (const auto* began = std::get_if<message::StopBegan>(&message)) {
    stop_known_ = stop_known_ || began->reason == diagnose::StopReason::kPlatform;
  } else if (const auto* ended = std::get_if<message::Ended>(&message)) {
    stop_known_ = stop_known_ || ended->end.stop_signal != 0;
    ends_[host] = ended->end;
  } else if (const auto* ready = std::get_if<message::Ready>(&message)) {
    if (ready->round == round_) ready_.insert(host);
  }
}

void Referee::loses(int host) {
  if (!met_) return;
  gone_.insert(host);
  loss_known_ = true;
}

std::string Referee::says(int host, const coordination::Message& message) {
  if (const auto* again = std::get_if<message::Again>(&message)) {
    return between_ && again->round == round_ ? std::string() : judge(*again);
  }
  if (const auto* agreed = std::get_if<message::Agreed>(&message))
    return judge(host, agreed->agreement);
  if (const auto* outcome = std::get_if<message::Outcome>(&message)) {
    if (judged_) return {};
    judged_ = true;
    return judge(outcome->verdict);
  }
  return {};
}

/// Empty: what is known speaks for one.
std::string Referee::why_no_restart() const {
  if (round_ >= schedule_.restarts.most) return "more restarts than allowed";
  if (stop_known_) return "a restart after a stop";
  if (loss_known_) return "a restart after a host had gone";
  if (ends_.size() < schedule_.hosts.size()) return "a restart before all parts were over";
  bool failed = false;
  for (const auto& [host, end] : ends_) {
    failed = failed || !end.success;
    if (!end.trouble.empty()) return "a restart after a host could not start its workers";
    for (const diagnose::Evidence& evidence : end.evidence) {
      if (evidence.stopped_by_us) continue;
      if (schedule_.restarts.never_after.contains(evidence.status.shell_code()))
        return fmt::format("a restart after code {}", evidence.status.shell_code());
    }
    if (uptime_of(end) < schedule_.restarts.min_uptime && schedule_.restarts.min_uptime.count() > 0)
      return "a restart of workers that had not run for long";
  }
  return failed ? "" : "a restart of a job that did not fail";
}

std::string Referee::judge(const message::Again& again) {
  const std::string why_not = between_ ? "a restart in a restart" : why_no_restart();
  if (!why_not.empty()) return why_not;
  if (again.round != round_ + 1) return "a round is left out";
  if (again.verdict.success()) return "a restart with a verdict of success";
  between_ = true;
  ++round_;
  failed_ = again.verdict;
  ends_.clear();
  ready_.clear();
  agreed_.clear();
  return {};
}

std::string Referee::judge(int host, const environment::Agreement& agreement) {
  if (!agreed_.insert(host).second) return "a round begins twice";
  if (agreement.round != round_) return "the hosts are told different rounds";
  if (agreement.host_rank != host) return "a host is told another's rank";
  if (!first_ranks_.emplace(host, agreement.first_rank).second &&
      first_ranks_[host] != agreement.first_rank)
    return "a host has other ranks than in the round before";
  if (!met_ || !between_) {
    met_ = true;
    return {};
  }
  between_ = false;
  if (stop_known_) return "a round begins after a stop";
  if (loss_known_) return "a round begins after a host had gone";
  if (ready_.size() < schedule_.hosts.size()) return "a round begins before all are ready";
  return {};
}

std::string Referee::judge(const diagnose::Verdict& outcome) const {
  if (between_)
    return same(outcome, failed_) ? "" : "the outcome is not that of the round that failed";
  if (!met_) return {};
  if (outcome.success()) {
    const bool well =
        ends_.size() == schedule_.hosts.size() &&
        std::all_of(ends_.begin(), ends_.end(), [](const auto& end) { return end.second.success; });
    return well ? "" : "success of a round that did not end well";
  }
  if (!is_of_round(outcome.failure, round_))
    return "the outcome is that of another round: " + outcome.failure;
  return {};
}

}  // namespace trainit::simulation
