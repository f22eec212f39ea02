#include "coordination/member.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "diagnose/restart.h"
#include "sys/signals.h"

namespace trainit::coordination {

Member::Member(Setup setup, sys::TimePoint now)
    : setup_(std::move(setup)), joined_at_(now), last_tick_(now), heard_at_(now) {}

Member::Actions Member::connected(sys::TimePoint now) {
  Actions out;
  if (phase_ != Phase::kJoining) return out;
  connected_ = true;
  not_reached_.clear();
  heard_at_ = now;
  echo_ = {};
  if (setup_.report) out.push_back(member_action::Send{*setup_.report});
  return out;
}

Member::Actions Member::received(const Message& message, sys::TimePoint now) {
  Actions out;
  if (phase_ == Phase::kOver || !connected_) return out;
  heard_at_ = now;
  std::visit([&](const auto& what) { handle(what, now, out); }, message);
  return out;
}

/// The first is answered at once: our clock is to be known before we have something to tell.
void Member::handle(const message::Heartbeat& beat, sys::TimePoint now, Actions& out) {
  const bool is_first = !echo_.known();
  echo_.learn(beat.clock, now);
  if (is_first) out.push_back(member_action::Send{echo_.heartbeat(now)});
}

void Member::handle(const message::Waiting& waiting, sys::TimePoint, Actions& out) {
  if (phase_ != Phase::kJoining) return;
  waiting_for_ = waiting.text;
  out.push_back(member_action::Wait{waiting.text});
}

void Member::handle(const message::Agreed& agreed, sys::TimePoint now, Actions& out) {
  if (phase_ != Phase::kJoining && phase_ != Phase::kBetween) return;
  phase_ = Phase::kTogether;
  began_at_ = now;
  stopping_ = false;
  end_.reset();
  told_.reset();
  if (stop_asked_ != 0) return decline(now, out);
  out.push_back(member_action::Begin{agreed.agreement});
}

/// All others were ready before they could hear that this host was asked to stop.
void Member::decline(sys::TimePoint now, Actions& out) {
  stopping_ = true;
  message::Ended ended;
  ended.end.reason = StopReason::kPlatform;
  ended.end.stop_signal = stop_asked_;
  ended.end.started_at = ended.end.ended_at = ended.end.stop_at = now;
  ended.end.trouble = fmt::format("stopped by {} before its workers were started again",
                                  sys::signal_name(stop_asked_));
  ended.end.trouble_code = 128 + stop_asked_;
  const Actions more = this->ended(std::move(ended));
  out.insert(out.end(), more.begin(), more.end());
}

/// Also who has ended may have to go before it hears more.
void Member::handle(const message::Stop& stop, sys::TimePoint now, Actions& out) {
  if (phase_ != Phase::kTogether && phase_ != Phase::kEnded) return;
  told_ = {stop.reason, stop.host, stop.signal, stop.text, now, now - began_at_};
  if (phase_ != Phase::kTogether || stopping_) return;
  stopping_ = true;
  out.push_back(member_action::StopWorkers{stop});
}

void Member::handle(const message::Again& again, sys::TimePoint, Actions& out) {
  if (phase_ != Phase::kEnded) return;
  phase_ = Phase::kBetween;
  round_ = again.round;
  verdict_ = again.verdict;
  out.push_back(member_action::BeginAgain{again});
}

Member::Actions Member::ready() {
  Actions out;
  if (phase_ == Phase::kBetween && connected_)
    out.push_back(member_action::Send{message::Ready{round_}});
  return out;
}

/// Also when no worker runs here any more: who was quick is told of later.
bool Member::is_in(int round) const {
  return (phase_ == Phase::kTogether || phase_ == Phase::kEnded) && round == round_;
}

void Member::handle(const message::Joined& joined, sys::TimePoint, Actions& out) {
  if (is_in(joined.round)) out.push_back(member_action::LookFor{joined.pid});
}

Member::Actions Member::came(int rank) const {
  if (!connected_ || !is_in(round_)) return {};
  return {member_action::Send{message::Came{round_, rank}}};
}

void Member::handle(const message::Late& late, sys::TimePoint, Actions& out) {
  if (is_in(late.round) && !stopping_) out.push_back(member_action::TellLate{late.after});
}

void Member::handle(const message::Outcome& outcome, sys::TimePoint, Actions& out) {
  if (phase_ == Phase::kKnown) return;
  out.push_back(member_action::Send{message::Heard{}});
  if (phase_ == Phase::kJoining)
    return give_up(outcome.verdict.failure, outcome.verdict.exit_code, out);
  phase_ = Phase::kKnown;
  verdict_ = outcome.verdict;
}

void Member::handle(const message::Leave&, sys::TimePoint, Actions& out) {
  if (phase_ == Phase::kKnown) conclude(verdict_, out);
}

Member::Actions Member::disconnected(const std::string& how, sys::TimePoint now) {
  Actions out;
  // Had we looked all the time, we would know when. It was there at our last look.
  if (connected_) miss_leader(how, std::min(now, last_tick_ + setup_.limits.beat), now, out);
  return out;
}

/// It is there no more, since then.
void Member::miss_leader(const std::string& how, sys::TimePoint since, sys::TimePoint now,
                         Actions& out) {
  connected_ = false;
  switch (phase_) {
    case Phase::kJoining:  // until all have agreed another connection may be made
      not_reached(fmt::format("the leader {} {}", setup_.leader, how));
      break;
    case Phase::kOver:
      break;
    case Phase::kTogether:
    case Phase::kEnded:
    case Phase::kBetween:
      lose_leader(how, since, now, out);
      break;
    case Phase::kKnown: {
      diagnose::Verdict verdict = verdict_;
      verdict.lines.push_back(fmt::format(
          "{} {} after it had told the outcome: whether all hosts have heard it is not known",
          setup_.leader, how));
      conclude(std::move(verdict), out);
      break;
    }
  }
}

/// From here on this host is alone: it stops, and reports what it knows.
void Member::lose_leader(const std::string& how, sys::TimePoint since, sys::TimePoint now,
                         Actions& out) {
  diagnose::LostHost lost;
  lost.host = setup_.leader;
  lost.how = how;
  if (stood_still_ > setup_.limits.lost) {
    lost.how += fmt::format(", after this host had stood still for {}",
                            human_seconds(sys::in_seconds(stood_still_)));
  }
  lost.at = since;
  lost.after = now - began_at_;
  lost_leader_ = std::move(lost);
  if (phase_ == Phase::kEnded) return conclude_alone(out);
  if (phase_ == Phase::kBetween) return conclude_round(setup_.leader + " " + how, out);
  if (stopping_) return;
  stopping_ = true;
  message::Stop why;
  why.reason = StopReason::kHostLost;
  why.host = setup_.leader;
  why.text = how;
  out.push_back(member_action::StopWorkers{why});
}

Member::Actions Member::stop_began(StopReason reason, int signal, const std::string& text) {
  Actions out;
  const bool together = phase_ == Phase::kTogether || phase_ == Phase::kEnded;
  if (!together && phase_ != Phase::kBetween) return out;
  const bool stopping = std::exchange(stopping_, true);
  // What has failed may be begun once more, unless a stop was asked for.
  const bool ends_all = reason == StopReason::kPlatform && phase_ != Phase::kTogether;
  if (ends_all) stop_asked_ = signal;
  if (stopping && !ends_all) return out;
  if (connected_) out.push_back(member_action::Send{message::StopBegan{reason, signal, text}});
  return out;
}

Member::Actions Member::ended(message::Ended end) {
  Actions out;
  if (phase_ == Phase::kKnown || phase_ == Phase::kOver) return out;
  // The last round is judged.
  if (phase_ == Phase::kBetween && end.end.trouble.empty()) return out;
  phase_ = Phase::kEnded;
  end_ = std::move(end);
  end_->end.host = setup_.host;
  end_->end.host_rank = setup_.host_rank;
  if (connected_) {
    message::Ended sent = *end_;
    sent.end.evidence = diagnose::most_telling(std::move(sent.end.evidence), kMostEvidence);
    out.push_back(member_action::Send{std::move(sent)});
  } else {
    conclude_alone(out);
  }
  return out;
}

Member::Actions Member::hurry() {
  Actions out;
  if (phase_ == Phase::kKnown) conclude(verdict_, out);
  if (phase_ == Phase::kEnded) conclude_alone(out);
  if (phase_ == Phase::kBetween) conclude_round("a stop was asked for", out);
  return out;
}

/// Success is not for one host to say: the others may have failed.
void Member::conclude_alone(Actions& out) {
  std::vector<diagnose::LostHost> lost;
  std::optional<diagnose::ToldStop> told = told_;
  if (told && told->reason == StopReason::kHostLost) {
    lost.push_back({told->host, -1, told->text, told->at, told->after});
    told.reset();
  }
  if (lost_leader_) lost.push_back(*lost_leader_);
  diagnose::Verdict verdict = diagnose::judge({&end_->end, 1}, lost, {}, told).verdict;
  if (verdict.success()) {
    verdict.exit_code = 1;
    verdict.failure = fmt::format(
        "{}: its workers ended well, but it had to end before it could hear how the other hosts "
        "did",
        setup_.host);
    verdict.lines.push_back(verdict.failure);
  }
  conclude(std::move(verdict), out);
}

/// There is no other round: what the last one ended with is the outcome.
void Member::conclude_round(const std::string& why, Actions& out) {
  diagnose::Verdict verdict = verdict_;
  verdict.lines.push_back(diagnose::not_restarted(why));
  conclude(std::move(verdict), out);
}

void Member::conclude(diagnose::Verdict verdict, Actions& out) {
  phase_ = Phase::kOver;
  out.push_back(member_action::Conclude{std::move(verdict)});
}

void Member::give_up(std::string why, int exit_code, Actions& out) {
  phase_ = Phase::kOver;
  out.push_back(member_action::GiveUp{Error{std::move(why), exit_code}});
}

/// Whom it waits for, or what keeps it from the leader, as far as is known.
std::string Member::missing() const {
  if (connected_ && !waiting_for_.empty()) return waiting_for_;
  if (!not_reached_.empty()) {
    return not_reached_ + (waiting_for_.empty() ? "" : "; it had been waiting for " + waiting_for_);
  }
  return fmt::format("the leader {} {}", setup_.leader,
                     connected_ ? "waits for others" : "was not reached");
}

Member::Actions Member::tick(sys::TimePoint now) {
  Actions out;
  if (phase_ == Phase::kOver) return out;
  // What has come while we could not run is still to be read.
  const sys::Duration late = now - last_tick_ - setup_.limits.beat;
  if (late > setup_.limits.late) heard_at_ = std::min(heard_at_ + late, now);
  stood_still_ = std::max(stood_still_, late);
  last_tick_ = now;
  // The leader has the same deadline, and more to say.
  if (phase_ == Phase::kJoining && now - joined_at_ > setup_.limits.meet + setup_.limits.lost) {
    give_up(fmt::format("the hosts of this job did not come together within {}: {}",
                        human_seconds(sys::in_seconds(setup_.limits.meet)), missing()),
            kSetUpFailed, out);
    return out;
  }
  if (!connected_) return out;
  if (now - heard_at_ > setup_.limits.lost) {
    out.push_back(member_action::Disconnect{});
    miss_leader(
        fmt::format("was not heard from for {}", human_seconds(sys::in_seconds(now - heard_at_))),
        heard_at_, now, out);
    return out;
  }
  out.push_back(member_action::Send{echo_.heartbeat(now)});
  return out;
}

}  // namespace trainit::coordination
