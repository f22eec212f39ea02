#include <fmt/core.h>

#include <algorithm>

#include "job.h"

/// What must hold of a job when it is over.
namespace trainit::simulation {
namespace {

constexpr Micros kLost = 8500 * kMillisecond, kBeat = kSecond;
/// Between two hosts, with all that the schedules do to the network.
constexpr Micros kDetect = kLost + 2 * kBeat;

bool has(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

/// Of all that happens by itself.
Micros Job::last_cause() const {
  Micros last = 0, start = 0, stood_still = 0;
  bool all_begun = true;
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    const HostSchedule& fate = schedule_.hosts[index];
    const Host& host = *hosts_[index];
    start = std::max(start, fate.starts);
    all_begun = all_begun && host.begun();
    for (const Window& freeze : fate.freezes) {
      if (fate.clock_freezes) stood_still = std::max(stood_still, 2 * (freeze.to - freeze.from));
    }
    last = std::max(last, last_cause_on(host, fate));
  }
  last = std::max(last, start);
  if (!all_begun) last = std::max(last, start + schedule_.meet + kLost + stood_still);
  return last;
}

Micros Job::last_cause_on(const Host& host, const HostSchedule& fate) const {
  Micros last = host.ready_at().value_or(0);
  const auto take = [&](Micros time) {
    if (time != kNever) last = std::max(last, time);
  };
  for (const Micros stop : fate.stops) take(stop);
  for (const Cut& cut : fate.cuts) {
    take(cut.from);
    take(cut.to);
  }
  for (const Window& freeze : fate.freezes) take(freeze.to);
  if (fate.killed) take(*fate.killed);
  if (fate.powerless) take(*fate.powerless);
  if (!host.begun()) return last;
  const int round = host.round().number();
  const Micros ready = *host.begun_at() + host.set_up();
  for (const Story& story : schedule_.part(host.index(), round).workers)
    take(ready + story.lives + story.dying);
  if (const auto ends = schedule_.end_of_store(round)) take(ready + *ends);
  return last;
}

/// From the decision until no process of the host is left.
Micros Job::to_stop() const {
  return std::max(schedule_.grace, schedule_.stop_leaders) + schedule_.stop_groups +
         200 * kMillisecond;
}

/// Nothing hangs.
void Job::check_time() {
  const Micros limit = last_cause() + 2 * kDetect + to_stop() + kDetect + 7 * kSecond;
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    const Host& host = *hosts_[index];
    if (!schedule_.hosts[index].comes || host.died()) continue;
    if (!host.exited_at()) return broken(host.name() + " never ends");
    if (*host.exited_at() > limit) {
      return broken(fmt::format("{} ends at {:.1f} s, and should by {:.1f} s", host.name(),
                                static_cast<double>(*host.exited_at()) / 1e6,
                                static_cast<double>(limit) / 1e6));
    }
  }
}

/// Invariant 1.
void Job::check_truth() {
  const bool all_well = std::all_of(hosts_.begin(), hosts_.end(), [this](const auto& host) {
    return host->ended() && host->went_well() && host->round().number() == restarts();
  });
  for (const auto& host : hosts_) {
    if (!host->exited_at()) continue;
    const bool success = host->exit_code() == 0 || host->failure().empty();
    expect(host->exit_code() == 0 ? host->failure().empty() : !host->failure().empty(),
           host->name() + ": exit code and failure do not fit");
    expect(!success || all_well, host->name() + " reports success of a job that failed");
    expect(!success || host->heard(), host->name() + " reports success that it has not heard of");
  }
}

/// Whoever hears of the outcome reports the same.
void Job::check_agreement() {
  const Host* first = nullptr;
  for (const auto& host : hosts_) {
    if (!host->exited_at() || !host->heard() || host->could_not_begin()) continue;
    if (first == nullptr) first = host.get();
    expect(host->exit_code() == first->exit_code() && host->failure() == first->failure(),
           fmt::format("{} and {} have heard different outcomes", first->name(), host->name()));
  }
  // Nobody that is there misses a success.
  if (first == nullptr || first->exit_code() != 0 || hosts_.front()->hurried()) return;
  if (schedule_.theme == Theme::kLost || schedule_.theme == Theme::kChaos) return;
  if (restarts() > 0 && !heals()) return;
  for (const auto& host : hosts_) {
    expect(!host->exited_at() || host->exit_code() == 0 || host->hurried(),
           host->name() + " fails in a job that succeeds");
  }
}

void Job::check_theme() {
  switch (schedule_.theme) {
    case Theme::kWell:
      return check_all_well();
    case Theme::kFailure:
      return check_failure();
    case Theme::kStop:
      return check_stop();
    case Theme::kLost:
      return check_lost();
    case Theme::kSetUp:
      return check_refusal({culprit().name()});
    case Theme::kDiffers:
      return check_refusal({"algo-1", "the program"});
    case Theme::kMissing:
      return check_refusal({culprit().name()});
    case Theme::kStore:
    case Theme::kChaos:
      return;
  }
}

void Job::check_all_well() {
  for (const auto& host : hosts_)
    expect(host->exit_code() == 0,
           fmt::format("{} fails without a cause: {}", host->name(), host->failure()));
}

/// Invariant 2, with one failure.
void Job::check_failure() {
  const Story& story =
      fate_of_culprit().workers[static_cast<std::size_t>(schedule_.culprit_worker)];
  const int rank = culprit().round().first_rank() + schedule_.culprit_worker;
  const Micros failed_at = *culprit().begun_at() + fate_of_culprit().set_up + story.lives;
  for (const auto& host : hosts_) {
    const std::string& name = host->name();
    if (!host->verdict()) return broken(name + " has no verdict of a failure");
    const diagnose::Verdict& verdict = *host->verdict();
    std::string all = verdict.failure;
    for (const std::string& line : verdict.lines) all += "\n" + line;
    expect(!verdict.success(), name + " reports success");
    // Of two errors of communication at the same time, as far as the clocks are known, either may
    // be named first.
    const bool named = story.communication
                           ? has(all, culprit().name())
                           : verdict.cause_rank == rank && has(verdict.failure, culprit().name());
    expect(named, fmt::format("{} names another cause than rank {} of {}: {}", name, rank,
                              culprit().name(), all));
    const int code = story.signal != 0 ? 128 + story.signal : story.code;
    expect(story.dying != 0 || story.communication || verdict.exit_code == code,
           name + " does not end with the cause's code");
    if (!schedule_.quiet || host.get() == &culprit()) continue;
    const Micros ready = *host->begun_at() + host->set_up();
    expect(host->stopped_at().value_or(*host->ended_at()) <=
               std::max(failed_at + story.dying, ready) + kSecond,
           name + " hears late of the failure");
  }
}

/// Who is stopped is gone before somebody kills it.
void Job::check_stop_budget() {
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    const Host& host = *hosts_[index];
    const HostSchedule& fate = schedule_.hosts[index];
    if (!host.exited_at() || fate.stops.empty()) continue;
    const Micros first = *std::min_element(fate.stops.begin(), fate.stops.end());
    if (first < fate.starts) continue;
    Micros late = host.set_ups();
    for (const Window& freeze : fate.freezes) late += freeze.to - freeze.from;
    expect(*host.exited_at() <= first + host.budget() + late + 150 * kMillisecond,
           host.name() + " is not gone when its stop's time is over");
  }
}

/// Whether nothing but failures of workers keeps this job from coming to an end.
bool Job::heals() const {
  const diagnose::RestartLimits& limits = schedule_.restarts;
  if (schedule_.theme != Theme::kFailure || limits.most == 0) return false;
  if (!limits.never_after.empty() || limits.min_uptime.count() > 0) return false;
  int blows = schedule_.quiet ? 0 : 1;
  for (const LaterRound& round : schedule_.later) {
    if (round.store_ends) return false;
    for (const Part& part : round.hosts) {
      if (part.trouble_after || part.trouble_clearing) return false;
    }
    for (const Blow& blow : round.blows) {
      // Two of them may be one that is too long.
      if (!blow.has_to_be_survived() || ++blows > 1) return false;
    }
  }
  return true;
}

/// Hosts hear at once of a worker that has failed on another.
void Job::check_told_soon(int round) {
  const LaterRound* later = schedule_.later_round(round);
  const int culprit = later == nullptr ? schedule_.culprit : later->culprit;
  if (culprit < 0) return;
  const Micros failed_at = hosts_[static_cast<std::size_t>(culprit)]->round(round).fails_at(
      later == nullptr ? schedule_.culprit_worker : later->culprit_worker);
  for (const auto& host : hosts_) {
    const Round& its = host->round(round);
    expect(
        its.stopped_at().value_or(*its.over_at()) <= std::max(failed_at, its.starts_at()) + kSecond,
        fmt::format("{} hears late of the failure in round {}", host->name(), round));
  }
}

/// A job goes on until a round ends well, or there are no restarts left.
void Job::check_restarts() {
  if (!heals()) return;
  const auto well = std::find_if(schedule_.later.begin(), schedule_.later.end(),
                                 [](const LaterRound& round) { return round.culprit < 0; });
  const int most = schedule_.restarts.most;
  const bool success = well != schedule_.later.end();
  const int last = success ? static_cast<int>(well - schedule_.later.begin()) + 1 : most;
  expect(restarts() == last,
         fmt::format("a job has {} restarts, and should have {}", restarts(), last));
  if (schedule_.quiet && posted_.empty()) {
    for (int round = 0; round <= last; ++round) check_told_soon(round);
  }
  if (success) return check_all_well();
  const std::string culprit = fmt::format("algo-{}", schedule_.later.back().culprit + 1);
  for (const auto& host : hosts_) {
    std::string all = host->failure();
    for (const std::string& line : host->verdict()->lines) all += "\n" + line;
    expect(host->exit_code() != 0 && has(all, culprit),
           fmt::format("{} does not name {}, which failed last: {}", host->name(), culprit, all));
  }
}

/// Nobody waits for anything but the last host, on a network that does nothing odd.
void Job::check_pace(bool begins) {
  if (schedule_.theme != Theme::kFailure || !schedule_.quiet || !posted_.empty()) return;
  Micros last = 0;
  for (const auto& host : hosts_)
    last = std::max(last, (begins ? host->ready_at() : host->ended_at()).value_or(0));
  expect(timeline_.now() <= last + kSecond,
         begins ? "a round begins late" : "the job goes on late after a round");
}

/// One stop or loss and nothing else after the first failure: all hosts end soon, and none with
/// success that is not.
void Job::check_single_blow() {
  if (schedule_.theme != Theme::kFailure || !schedule_.quiet || posted_.size() != 1) return;
  const auto& [when, blow, between] = posted_.front();
  const Host& struck = *hosts_[static_cast<std::size_t>(blow.host)];
  if (struck.exited_at() && *struck.exited_at() < when) return;
  Micros most = kSecond;  // all others hear of it at once
  if (blow.kind == Blow::Kind::kPowerless || blow.kind == Blow::Kind::kCutOff)
    most = 11 * kSecond;
  else if (blow.kind != Blow::Kind::kStop && blow.kind != Blow::Kind::kKilled)
    return;
  // Who goes when its part is over is not missed.
  if (!between && blow.kind != Blow::Kind::kStop) return;
  Micros begins = 0;
  for (const auto& host : hosts_) begins = std::max(begins, host->set_up());
  for (const auto& host : hosts_) {
    if (host->died()) continue;
    expect(*host->exited_at() <= when + most + begins + to_stop(),
           host->name() + " ends late after a stop or loss");
    expect(host->exit_code() != 0 || (!between && !struck.stopped_between()),
           host->name() + " reports success of a job that ended between two rounds");
  }
}

void Job::check_stop() {
  const std::vector<Micros>& stops = fate_of_culprit().stops;
  if (!schedule_.quiet || !culprit().begun_at() || stops.front() < *culprit().begun_at()) return;
  for (const auto& host : hosts_) {
    if (!host->begun_at() || !host->ended_at()) continue;
    const Micros ready = *host->begun_at() + host->set_up();
    expect(
        host->stopped_at().value_or(*host->ended_at()) <= std::max(stops.front(), ready) + kSecond,
        host->name() + " hears late of the stop");
  }
}

/// One host goes: everybody else says so.
void Job::check_lost() {
  const HostSchedule& fate = fate_of_culprit();
  const bool frozen = !fate.freezes.empty() &&
                      std::any_of(fate.freezes.begin(), fate.freezes.end(), [](const Window& one) {
                        return one.to - one.from > 5 * kSecond;
                      });
  Micros lost = kNever, back = kNever;
  if (fate.killed) lost = *fate.killed;
  if (fate.powerless) lost = *fate.powerless;
  for (const Cut& cut : fate.cuts) {
    if (!cut.resets && cut.to != kNever) continue;
    lost = cut.to == kNever ? cut.from : cut.to;
    back = cut.from;
  }
  for (const Window& freeze : fate.freezes) {
    if (freeze.to - freeze.from <= 5 * kSecond) continue;
    lost = freeze.from;
    back = freeze.to;
    // Perhaps lost, perhaps not: what was late on its way may have come meanwhile.
    if (freeze.to - freeze.from < kDetect + (schedule_.quiet ? 0 : 7 * kSecond)) return;
  }
  for (const auto& host : hosts_) {
    if (!host->begun_at() || *host->begun_at() >= lost - kSecond) return;
  }
  if (culprit().ended_at() && *culprit().ended_at() <= lost) return;
  for (const auto& host : hosts_) {
    if (host.get() == &culprit()) continue;
    expect(host->exit_code() == 1 && has(host->failure(), culprit().name() + ":"),
           fmt::format("{} does not name {} as lost: {}", host->name(), culprit().name(),
                       host->failure()));
    if (!schedule_.quiet || !host->stopped_at()) continue;
    expect(*host->stopped_at() <= lost + 10 * kSecond,
           host->name() + " notices late that a host is lost");
  }
  if (culprit().died() || back == kNever) return;
  // Who has heard the outcome may report it. A leader that knows that it stood still also knows
  // that the others did not wait.
  const bool may_know =
      culprit().heard() && (schedule_.culprit != 0 || !frozen || fate.clock_freezes);
  expect(may_know || culprit().exit_code() != 0, "a host that was lost reports success");
  const Micros since = frozen ? back : std::max(back, lost == kNever ? back : Micros());
  if (schedule_.quiet)
    expect(*culprit().exited_at() <= since + 12 * kSecond + to_stop(),
           "a host that was lost ends late");
}

/// The job does not begin: everybody says the same, and names who is to blame.
void Job::check_refusal(const std::vector<std::string>& words) {
  if (fate_of_culprit().trouble_at && !culprit().could_not_begin()) return check_all_well();
  for (const auto& host : hosts_) {
    if (!host->exited_at()) continue;
    // It goes at once, and its last word may be lost with its connection.
    if (fate_of_culprit().trouble_at && host->begun() &&
        has(host->failure(), culprit().name() + ": lost"))
      continue;
    expect(host->exit_code() == kSetUpFailed,
           host->name() + " does not end as one that failed to begin");
    if (host.get() == &culprit()) continue;
    // Who came when the leader had gone already cannot know more.
    if (has(host->failure(), "the leader algo-1 was not reached")) continue;
    // Of very many that are missing not all are named.
    if (has(host->failure(), " more")) continue;
    for (const std::string& word : words)
      expect(has(host->failure(), word),
             fmt::format("{} does not name {}: {}", host->name(), word, host->failure()));
  }
}

}  // namespace trainit::simulation
