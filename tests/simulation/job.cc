#include "job.h"

#include <fmt/core.h>

#include <algorithm>

namespace trainit::simulation {
namespace {

constexpr Micros kLost = 8500 * kMillisecond, kBeat = kSecond;
/// Between two hosts, with all that the schedules do to the network.
constexpr Micros kDetect = kLost + 2 * kBeat;

bool has(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

Job::Job(std::uint64_t seed, bool keep_trace)
    : schedule_(Schedule::of(seed)), timeline_(keep_trace), network_(timeline_, schedule_, *this) {
  for (std::size_t index = 0; index < schedule_.hosts.size(); ++index)
    hosts_.push_back(std::make_unique<Host>(static_cast<int>(index), schedule_, timeline_, *this));
}

std::string Job::run() {
  post_fates();
  const Micros end = schedule_.meet + 300 * kSecond;
  while (problem_.empty() && !all_gone() && timeline_.step(end)) {
  }
  if (problem_.empty()) check_time();
  if (problem_.empty()) check_truth();
  if (problem_.empty()) check_agreement();
  if (problem_.empty()) check_theme();
  return problem_;
}

void Job::post_fates() {
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    const HostSchedule& fate = schedule_.hosts[index];
    Host* host = hosts_[index].get();
    if (!fate.comes) continue;
    timeline_.at(fate.starts, [host] { host->start(); });
    for (const Micros stop : fate.stops)
      timeline_.at(stop, [host] { host->run([host] { host->stop_signal(); }); });
    if (fate.killed) timeline_.at(*fate.killed, [host] { host->die(true); });
    if (fate.powerless) timeline_.at(*fate.powerless, [host] { host->die(false); });
    for (const Cut& cut : fate.cuts) {
      timeline_.at(cut.from, [this, host] { timeline_.note(host->name(), "is cut off"); });
      if (cut.resets)
        timeline_.at(cut.to, [this, index] { network_.reset_all(static_cast<int>(index)); });
    }
  }
}

void Job::on_host(int host, std::function<void()> what) {
  hosts_[static_cast<std::size_t>(host)]->run(std::move(what));
}

void Job::missed() {
  for (const auto& host : hosts_) {
    Host* one = host.get();
    timeline_.after(0, [one] { one->run([one] { one->miss_peer(); }); });
  }
}

void Job::broken(const std::string& promise) {
  if (problem_.empty()) problem_ = promise;
}

bool Job::all_gone() const {
  return std::all_of(hosts_.begin(), hosts_.end(), [&](const auto& host) {
    return host->gone() || !schedule_.hosts[static_cast<std::size_t>(&host - hosts_.data())].comes;
  });
}

/// Of all that happens by itself.
Micros Job::last_cause() const {
  Micros last = 0, start = 0, stood_still = 0;
  bool all_begun = true;
  const auto take = [&](Micros time) {
    if (time != kNever) last = std::max(last, time);
  };
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    const HostSchedule& fate = schedule_.hosts[index];
    const Host& host = *hosts_[index];
    start = std::max(start, fate.starts);
    all_begun = all_begun && host.begun();
    for (const Micros stop : fate.stops) take(stop);
    for (const Cut& cut : fate.cuts) {
      take(cut.from);
      take(cut.to);
    }
    for (const Window& freeze : fate.freezes) {
      take(freeze.to);
      if (fate.clock_freezes) stood_still = std::max(stood_still, 2 * (freeze.to - freeze.from));
    }
    if (fate.killed) take(*fate.killed);
    if (fate.powerless) take(*fate.powerless);
    for (const Story& story : fate.workers) {
      if (host.begun_at()) take(*host.begun_at() + fate.set_up + story.lives + story.dying);
    }
    if (schedule_.store_ends && host.begun_at())
      take(*host.begun_at() + fate.set_up + *schedule_.store_ends);
  }
  take(start);
  if (!all_begun) take(start + schedule_.meet + kLost + stood_still);
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
  const bool all_well = std::all_of(hosts_.begin(), hosts_.end(), [](const auto& host) {
    return host->ended() && host->went_well();
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
  const int rank = culprit().first_rank() + schedule_.culprit_worker;
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

void Job::check_stop() {
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    const Host& host = *hosts_[index];
    const HostSchedule& fate = schedule_.hosts[index];
    if (fate.stops.empty() || fate.stops.front() < fate.starts) continue;
    Micros frozen = 0;
    for (const Window& freeze : fate.freezes) frozen += freeze.to - freeze.from;
    expect(*host.exited_at() <= fate.stops.front() + host.budget() + frozen + 50 * kMillisecond,
           host.name() + " is not gone when its stop's time is over");
  }
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
    if (has(host->failure(), "algo-1, which leads, was not reached")) continue;
    // Of very many that are missing not all are named.
    if (has(host->failure(), " more")) continue;
    for (const std::string& word : words)
      expect(has(host->failure(), word),
             fmt::format("{} does not name {}: {}", host->name(), word, host->failure()));
  }
}

}  // namespace trainit::simulation
