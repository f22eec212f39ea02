#include "coordination/hub.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "coordination/clashes.h"
#include "coordination/difference.h"

namespace trainit::coordination {
namespace {

using hub_action::Tell;

/// For how many processes a host is asked in a round. Its workers are fewer; whoever joins with
/// ever more of them is none.
constexpr int kMostAsked = 4096;

/// A host's own points in time by our clock.
void set_clock(diagnose::HostEnd& end, const ClockOffset& clock) {
  const auto convert = [&](sys::TimePoint& time) { time = clock.to_ours(time); };
  convert(end.started_at);
  convert(end.ended_at);
  convert(end.stop_at);
  for (diagnose::Evidence& evidence : end.evidence) {
    evidence.host = end.host;
    convert(evidence.told_at);
    convert(evidence.first_error_at);
    convert(evidence.exited_at);
    if (evidence.gpu_fault) convert(evidence.gpu_fault->at);
  }
}

}  // namespace

Hub::Hub(Setup setup, sys::TimePoint now)
    : setup_(std::move(setup)), hosts_(setup_.hosts.size()), last_tick_(now), opened_at_(now) {}

/// Asked at every host's message: so it begins where the last answer was no, and looks at each host
/// about once until that is yes.
template <class Predicate>
bool Hub::every_host(const Predicate& is_so) {
  for (std::size_t looked_at = 0; looked_at < hosts_.size(); ++looked_at) {
    if (!is_so(hosts_[awaited_])) return false;
    awaited_ = (awaited_ + 1) % hosts_.size();
  }
  return true;
}

Hub::Actions Hub::connected(int host, sys::TimePoint now) {
  Actions out;
  Host& that = hosts_[static_cast<std::size_t>(host)];
  that.connected = true;
  that.report.reset();
  that.heard_at = now;
  that.echo = {};
  that.note = "heard from";
  out.push_back(hub_action::Send{host, that.echo.heartbeat(now)});
  tell_withdrawal_in_time(now, out);
  return out;
}

Hub::Actions Hub::received(int host, const Message& message, sys::TimePoint now) {
  Actions out;
  Host& that = hosts_[static_cast<std::size_t>(host)];
  if (!that.connected) return out;
  notice_late(now);
  that.heard_at = now;
  std::visit([&](const auto& what) { handle(host, what, now, out); }, message);
  return out;
}

void Hub::notice_late(sys::TimePoint now) {
  const sys::Duration late = now - last_tick_ - setup_.limits.beat;
  if (phase_ != Phase::kTogether || late <= setup_.limits.late) return;
  stood_still_ = std::max(stood_still_, late);
  settled_at_ = now + setup_.limits.beat;
}

void Hub::handle(int host, const message::Heartbeat& beat, sys::TimePoint now, Actions&) {
  Host& that = hosts_[static_cast<std::size_t>(host)];
  that.echo.learn(beat.clock, now);
  that.clock.learn(beat.clock, beat.echo, beat.held, to_wire(now));
}

void Hub::handle(int host, const message::Report& report, sys::TimePoint now, Actions& out) {
  if (phase_ != Phase::kMeeting || withdrawal_) return;
  hosts_[static_cast<std::size_t>(host)].report = report;
  if (!every_host([](const Host& that) { return that.report.has_value(); })) return;
  // Not before: who comes later would find nobody to tell it why.
  const std::string differs = difference();
  if (!differs.empty()) return refuse(differs, now, out);
  agree(now, out);
}

std::string Hub::difference() const {
  std::vector<HostReport> reports;
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    if (hosts_[index].report) reports.push_back({setup_.hosts[index], *hosts_[index].report});
  }
  return coordination::difference(reports);
}

void Hub::agree(sys::TimePoint now, Actions& out) {
  phase_ = Phase::kTogether;
  met_at_ = now;
  environment::Agreement agreement = setup_.common;
  agreement.round = round_;
  agreement.host_count = static_cast<int>(hosts_.size());
  agreement.world_size = 0;
  for (const Host& host : hosts_) agreement.world_size += host.report->slots;
  agreement.first_rank = 0;
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    agreement.host_rank = static_cast<int>(index);
    hosts_[index].first_rank = agreement.first_rank;
    hosts_[index].asked = 0;
    out.push_back(hub_action::Send{agreement.host_rank, message::Agreed{agreement}});
    agreement.first_rank += hosts_[index].report->slots;
  }
}

void Hub::refuse(std::string why, sys::TimePoint now, Actions& out) {
  diagnose::Verdict verdict;
  verdict.exit_code = kSetUpFailed;
  verdict.failure = std::move(why);
  say_outcome(std::move(verdict), now, out);
}

void Hub::handle(int host, const message::StopBegan& began, sys::TimePoint now, Actions& out) {
  if (phase_ == Phase::kBetween && began.reason == StopReason::kPlatform)
    return not_again("a stop was asked for", now, out);
  if (phase_ != Phase::kTogether) return;
  if (began.reason == StopReason::kPlatform) stop_asked_ = true;
  message::Stop why;
  why.reason = began.reason;
  why.host = setup_.hosts[static_cast<std::size_t>(host)];
  why.signal = began.signal;
  why.text = began.text;
  if (!stopping_ && began.reason == StopReason::kPlatform) stopped_at_ = host;
  stop_all(why, now, out);
}

/// The signal came to one host, and travelled to the others: the clocks of hosts that have met a
/// moment ago need not tell which.
void Hub::leave_stop_to_its_host(std::vector<diagnose::HostEnd>& ends) const {
  const auto is_it = [this](const diagnose::HostEnd& end) {
    return end.host_rank == stopped_at_ && end.stop_signal != 0;
  };
  if (std::none_of(ends.begin(), ends.end(), is_it)) return;
  for (diagnose::HostEnd& end : ends) {
    if (!is_it(end)) end.stop_signal = 0;
  }
}

void Hub::stop_all(const message::Stop& why, sys::TimePoint now, Actions& out) {
  if (std::exchange(stopping_, true)) return;
  if (why.reason != StopReason::kHostLost)
    told_ = {why.reason, why.host, why.signal, why.text, now, now - met_at_};
  send_all(why, out);
}

void Hub::handle(int host, const message::Ended& ended, sys::TimePoint now, Actions& out) {
  if (phase_ == Phase::kBetween) {
    return not_again(
        fmt::format("{}: {}", setup_.hosts[static_cast<std::size_t>(host)], ended.end.trouble), now,
        out);
  }
  if (phase_ != Phase::kTogether && phase_ != Phase::kMeeting) return;
  Host& that = hosts_[static_cast<std::size_t>(host)];
  that.end = ended;
  that.end->end.host = setup_.hosts[static_cast<std::size_t>(host)];
  that.end->end.host_rank = host;
  if (phase_ == Phase::kMeeting) return cannot_begin(that.end->end, now, out);
  if (host != 0) set_clock(that.end->end, that.clock);
  if (!ended.end.success && !stopping_) {  // it had no time to say so first
    message::Stop why;
    const bool in_trouble = !ended.end.trouble.empty();
    why.reason = in_trouble ? StopReason::kSetUpFailed : StopReason::kWorkerFailed;
    why.host = that.end->end.host;
    why.text = in_trouble ? ended.end.trouble : "its workers failed";
    stop_all(why, now, out);
  }
  judge_when_all_ended(now, out);
}

/// Who comes a moment later would find nobody to tell it why the job does not begin.
void Hub::cannot_begin(const diagnose::HostEnd& end, sys::TimePoint now, Actions& out) {
  Host& that = hosts_[static_cast<std::size_t>(end.host_rank)];
  that.report.reset();
  that.note = "cannot begin";
  if (!withdrawal_) {
    withdrawal_ = diagnose::judge({&end, 1}).verdict;
    withdrawn_at_ = now;
  }
  // Whoever asks for a stop does not wait.
  if (end.reason == StopReason::kPlatform) return say_outcome(*withdrawal_, now, out);
  tell_withdrawal_in_time(now, out);
}

void Hub::tell_withdrawal_in_time(sys::TimePoint now, Actions& out) {
  if (phase_ != Phase::kMeeting || !withdrawal_) return;
  const bool waited = now - withdrawn_at_ > setup_.limits.withdraw ||
                      now - opened_at_ > setup_.limits.meet ||
                      every_host([](const Host& that) { return that.connected; });
  if (waited) say_outcome(*withdrawal_, now, out);
}

Hub::Actions Hub::wait_no_longer(sys::TimePoint now) {
  Actions out;
  if (phase_ == Phase::kMeeting && withdrawal_) say_outcome(*withdrawal_, now, out);
  return out;
}

void Hub::judge_when_all_ended(sys::TimePoint now, Actions& out) {
  if (now < settled_at_) return;
  if (!every_host([](const Host& host) { return host.end || host.lost; })) return;
  std::vector<diagnose::HostEnd> ends;
  sys::Duration error{};
  for (const Host& host : hosts_) {
    if (!host.end) continue;
    ends.push_back(host.end->end);
    error = std::max(error, host.clock.error());
  }
  leave_stop_to_its_host(ends);
  diagnose::Verdict verdict = diagnose::judge(ends, lost_, 2 * error, told_).verdict;
  // Who has gone has taken this host for lost, and reported that.
  const bool all_wait =
      std::all_of(hosts_.begin(), hosts_.end(), [](const Host& host) { return host.connected; });
  if (verdict.success() && !all_wait && stood_still_ > setup_.limits.lost) {
    verdict.exit_code = 1;
    verdict.failure = fmt::format(
        "{}: all workers ended well, but this host had stood still for {}, and others did not wait "
        "for it",
        setup_.hosts[0], human_seconds(sys::in_seconds(stood_still_)));
    verdict.lines.push_back(verdict.failure);
  }
  if (verdict.success()) {
    if (std::string line = clashes(); !line.empty()) verdict.lines.push_back(std::move(line));
    return say_outcome(std::move(verdict), now, out);
  }
  diagnose::RestartChoice choice = choose_restart(setup_.restarts, round_, ends, lost_);
  if (choice.delay && stop_asked_) choice = {std::nullopt, "a stop was asked for"};
  if (choice.delay && !all_wait) choice = {std::nullopt, who_has_gone()};
  if (choice.delay) return begin_again(*choice.delay, std::move(verdict), out);
  if (!choice.why_not.empty()) verdict.lines.push_back(diagnose::not_restarted(choice.why_not));
  say_outcome(std::move(verdict), now, out);
}

/// A host whose part of the round was over, and that would never be ready for another.
std::string Hub::who_has_gone() const {
  const auto gone =
      std::find_if(hosts_.begin(), hosts_.end(), [](const Host& host) { return !host.connected; });
  return fmt::format("{} {}", setup_.hosts[static_cast<std::size_t>(gone - hosts_.begin())],
                     gone->note);
}

void Hub::begin_again(std::chrono::milliseconds delay, diagnose::Verdict verdict, Actions& out) {
  phase_ = Phase::kBetween;
  ++round_;
  stopping_ = false;
  told_.reset();
  stopped_at_ = -1;
  for (Host& host : hosts_) {
    host.end.reset();
    host.ready = false;
  }
  round_verdict_ = std::move(verdict);
  send_all(message::Again{round_, delay, round_verdict_}, out);
}

void Hub::handle(int host, const message::Ready& ready, sys::TimePoint now, Actions& out) {
  if (phase_ != Phase::kBetween || ready.round != round_) return;
  hosts_[static_cast<std::size_t>(host)].ready = true;
  if (every_host([](const Host& that) { return that.ready; })) agree(now, out);
}

Hub::Actions Hub::joined(int host, int pid) {
  Host& that = hosts_[static_cast<std::size_t>(host)];
  const bool is_round = phase_ == Phase::kTogether || phase_ == Phase::kJudged;
  if (!is_round || !that.connected || that.asked == kMostAsked) return {};
  ++that.asked;
  return {hub_action::Send{host, message::Joined{round_, pid}}};
}

/// Of who ended at once that may be heard after it was judged.
void Hub::handle(int host, const message::Came& came, sys::TimePoint, Actions& out) {
  const Host& that = hosts_[static_cast<std::size_t>(host)];
  const bool is_round = phase_ == Phase::kTogether || phase_ == Phase::kJudged;
  if (!is_round || came.round != round_ || !that.report) return;
  if (came.rank < that.first_rank || came.rank - that.first_rank >= that.report->slots) return;
  out.push_back(hub_action::Came{came.rank});
}

Hub::Actions Hub::late(sys::Duration after) const {
  Actions out;
  if (phase_ != Phase::kTogether || stopping_) return out;
  for (std::size_t host = 1; host < hosts_.size(); ++host) {
    if (!hosts_[host].connected) continue;
    out.push_back(hub_action::Send{static_cast<int>(host), message::Late{round_, after}});
  }
  return out;
}

std::vector<HostRanks> Hub::ranks() const {
  std::vector<HostRanks> ranks;
  for (std::size_t index = 0; index < hosts_.size() && !is_open(); ++index) {
    const Host& host = hosts_[index];
    if (host.report) ranks.push_back({setup_.hosts[index], host.first_rank, host.report->slots});
  }
  return ranks;
}

/// What the last round ended with stays the outcome.
void Hub::not_again(const std::string& why, sys::TimePoint now, Actions& out) {
  diagnose::Verdict verdict = round_verdict_;
  verdict.lines.push_back(diagnose::not_restarted(why));
  say_outcome(std::move(verdict), now, out);
}

std::string Hub::clashes() const {
  std::vector<HostPart> parts;
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    if (hosts_[index].end) parts.push_back({setup_.hosts[index], *hosts_[index].end});
  }
  return coordination::clashes(parts);
}

void Hub::say_outcome(diagnose::Verdict verdict, sys::TimePoint now, Actions& out) {
  phase_ = Phase::kJudged;
  judged_at_ = now;
  outcome_ = verdict.failure;
  send_all(message::Outcome{std::move(verdict)}, out);
  finish_when_all_heard(out);
}

void Hub::handle(int host, const message::Heard&, sys::TimePoint, Actions& out) {
  if (phase_ != Phase::kJudged) return;
  hosts_[static_cast<std::size_t>(host)].heard_outcome = true;
  finish_when_all_heard(out);
}

void Hub::finish_when_all_heard(Actions& out) {
  if (!every_host([](const Host& host) { return host.heard_outcome || !host.connected; })) return;
  if (phase_ != Phase::kJudged) return;
  phase_ = Phase::kFinished;
  send_all(message::Leave{}, out);
  out.push_back(hub_action::Finish{});
}

Hub::Actions Hub::disconnected(int host, const std::string& how, sys::TimePoint now) {
  Actions out;
  if (!hosts_[static_cast<std::size_t>(host)].connected) return out;
  notice_late(now);
  // Had we looked all the time, we would know when. It was there at our last look.
  miss(host, how, std::min(now, last_tick_ + setup_.limits.beat), now, out);
  return out;
}

/// It is there no more, since then.
void Hub::miss(int host, const std::string& how, sys::TimePoint since, sys::TimePoint now,
               Actions& out) {
  Host& that = hosts_[static_cast<std::size_t>(host)];
  that.connected = false;
  switch (phase_) {
    case Phase::kMeeting:
      that.report.reset();
      that.note = "came, and went again: " + how;
      break;
    case Phase::kTogether:
      lose(host, how, since, now, out);
      break;
    case Phase::kBetween:
      not_again(fmt::format("{} {}", setup_.hosts[static_cast<std::size_t>(host)], how), now, out);
      break;
    case Phase::kJudged:
      if (!that.heard_outcome) {
        out.push_back(Tell{fmt::format("{} {} before it had heard the outcome",
                                       setup_.hosts[static_cast<std::size_t>(host)], how)});
      }
      finish_when_all_heard(out);
      break;
    case Phase::kFinished:
      break;
  }
}

/// A host whose part was over is not missed: how its workers ended is known.
void Hub::lose(int host, const std::string& how, sys::TimePoint since, sys::TimePoint now,
               Actions& out) {
  Host& that = hosts_[static_cast<std::size_t>(host)];
  const std::string& name = setup_.hosts[static_cast<std::size_t>(host)];
  if (that.end) {
    that.note = how;
    out.push_back(Tell{fmt::format("{} {} after its part was over", name, how)});
    return;
  }
  that.lost = true;
  diagnose::LostHost lost;
  lost.host = name;
  lost.host_rank = host;
  lost.how = how;
  lost.at = since;
  lost.after = now - met_at_;
  lost_.push_back(std::move(lost));
  message::Stop why;
  why.reason = StopReason::kHostLost;
  why.host = name;
  why.text = how;
  stop_all(why, now, out);
  judge_when_all_ended(now, out);
}

Hub::Actions Hub::tick(sys::TimePoint now) {
  Actions out;
  if (phase_ == Phase::kFinished) return out;
  // What has come while we could not run is still to be read.
  const sys::Duration late = now - last_tick_ - setup_.limits.beat;
  notice_late(now);
  last_tick_ = now;
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    Host& host = hosts_[index];
    if (late > setup_.limits.late) host.heard_at = std::min(host.heard_at + late, now);
    // Who has heard the outcome may be silent, and gone.
    if (!host.connected || host.heard_outcome || now - host.heard_at <= setup_.limits.lost)
      continue;
    const int number = static_cast<int>(index);
    const std::string how = fmt::format("was not heard from for {}",
                                        human_seconds(sys::in_seconds(now - host.heard_at)));
    out.push_back(hub_action::Disconnect{number});
    miss(number, how, host.heard_at, now, out);
  }
  tell_withdrawal_in_time(now, out);
  if (phase_ == Phase::kMeeting) wait_on(now, out);
  if (phase_ == Phase::kTogether) judge_when_all_ended(now, out);
  if (phase_ == Phase::kJudged && now - judged_at_ > setup_.limits.last_word) give_up_on_deaf(out);
  if (phase_ != Phase::kFinished) beat(now, out);
  return out;
}

void Hub::wait_on(sys::TimePoint now, Actions& out) {
  const std::string text = missing();
  if (now - opened_at_ > setup_.limits.meet) {
    const std::string differs = difference();
    return refuse(fmt::format("the hosts of this job did not come together within {}: missing {}{}",
                              human_seconds(sys::in_seconds(setup_.limits.meet)), text,
                              differs.empty() ? "" : "; and " + differs),
                  now, out);
  }
  if (text == told_missing_) return;
  told_missing_ = text;
  send_all(message::Waiting{text}, out);
}

/// Who does not answer within its time, although it is there.
void Hub::give_up_on_deaf(Actions& out) {
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    Host& host = hosts_[index];
    if (!host.connected || host.heard_outcome) continue;
    host.connected = false;
    out.push_back(
        Tell{fmt::format("{} does not say that it has heard the outcome", setup_.hosts[index])});
    out.push_back(hub_action::Disconnect{static_cast<int>(index)});
  }
  finish_when_all_heard(out);
}

void Hub::beat(sys::TimePoint now, Actions& out) const {
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    const Host& host = hosts_[index];
    if (host.connected)
      out.push_back(hub_action::Send{static_cast<int>(index), host.echo.heartbeat(now)});
  }
}

void Hub::send_all(const Message& message, Actions& out) const {
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    if (hosts_[index].connected) out.push_back(hub_action::Send{static_cast<int>(index), message});
  }
}

std::string Hub::why_closed() const {
  if (!outcome_.empty()) return outcome_;
  return "the job has begun already without this host, or with another of its name";
}

std::string Hub::missing() const {
  constexpr std::size_t kMostNamed = 8;
  std::vector<std::string> names;
  std::size_t count = 0;
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    if (hosts_[index].report) continue;
    if (++count <= kMostNamed)
      names.push_back(fmt::format("{} ({})", setup_.hosts[index], hosts_[index].note));
  }
  if (count == 0) return {};
  if (count > kMostNamed) names.push_back(fmt::format("and {} more", count - kMostNamed));
  return fmt::format("{} of {} hosts: {}{}", count, hosts_.size(), join(names, ", "),
                     remark_.empty() ? "" : "; " + remark_);
}

}  // namespace trainit::coordination
