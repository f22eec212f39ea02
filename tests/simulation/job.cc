#include "job.h"

#include <fmt/core.h>

#include <algorithm>

namespace trainit::simulation {

Job::Job(std::uint64_t seed, bool keep_trace)
    : schedule_(Schedule::of(seed)),
      timeline_(keep_trace),
      network_(timeline_, schedule_, *this),
      referee_(schedule_) {
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
  if (problem_.empty()) check_stop_budget();
  if (problem_.empty()) check_restarts();
  if (problem_.empty()) check_single_blow();
  if (problem_.empty() && restarts() == 0 && !heals()) check_theme();
  return problem_;
}

void Job::post_fates() {
  for (std::size_t index = 0; index < hosts_.size(); ++index) {
    const HostSchedule& fate = schedule_.hosts[index];
    Host* host = hosts_[index].get();
    if (!fate.comes) continue;
    timeline_.at(fate.starts, [host] { host->start(); });
    for (const Micros stop : fate.stops) post_stop(static_cast<int>(index), stop);
    if (fate.killed) timeline_.at(*fate.killed, [host] { host->die(true); });
    if (fate.powerless) timeline_.at(*fate.powerless, [host] { host->die(false); });
    for (const Cut& cut : fate.cuts) post_cut(static_cast<int>(index), cut);
  }
}

void Job::post_stop(int host, Micros when) {
  Host* one = hosts_[static_cast<std::size_t>(host)].get();
  timeline_.at(when, [one] { one->run([one] { one->stop_signal(); }); });
}

void Job::post_cut(int host, const Cut& cut) {
  timeline_.at(cut.from, [this, host] {
    timeline_.note(hosts_[static_cast<std::size_t>(host)]->name(), "is cut off");
  });
  if (cut.resets) timeline_.at(cut.to, [this, host] { network_.reset_all(host); });
}

void Job::post_blows(bool before) {
  for (const Blow& blow : schedule_.later_round(referee_.round())->blows) {
    if (blow.before == before) post(blow);
  }
}

/// From here on it is in the schedule as if it had been from the beginning.
void Job::post(const Blow& blow) {
  HostSchedule& fate = schedule_.hosts[static_cast<std::size_t>(blow.host)];
  Host* host = hosts_[static_cast<std::size_t>(blow.host)].get();
  const Micros from = timeline_.now() + blow.after, to = from + blow.lasts;
  posted_.push_back({from, blow});
  timeline_.at(from, [this, index = posted_.size() - 1] {
    posted_[index].between = std::all_of(hosts_.begin(), hosts_.end(),
                                         [](const auto& one) { return one->is_between(); });
  });
  switch (blow.kind) {
    case Blow::Kind::kStop:
      fate.stops.push_back(from);
      return post_stop(blow.host, from);
    case Blow::Kind::kKilled:
      fate.killed = from;
      return timeline_.at(from, [host] { host->die(true); });
    case Blow::Kind::kPowerless:
      fate.powerless = from;
      return timeline_.at(from, [host] { host->die(false); });
    case Blow::Kind::kCutOff:
      fate.cuts.push_back({{from, kNever}, false});
      return post_cut(blow.host, fate.cuts.back());
    case Blow::Kind::kReset:
      fate.cuts.push_back({{from, to}, true});
      return post_cut(blow.host, fate.cuts.back());
    case Blow::Kind::kCut:
      fate.cuts.push_back({{from, to}, false});
      return post_cut(blow.host, fate.cuts.back());
    case Blow::Kind::kFrozen:
      fate.freezes.push_back({from, to});
      timeline_.at(from, [host] { host->freeze(); });
      return timeline_.at(to, [host, blow] { host->thaw(blow.lasts); });
  }
}

void Job::hub_hears(int host, const coordination::Message& message) {
  referee_.hears(host, message);
}

void Job::hub_says(int host, const coordination::Message& message) {
  const int round = referee_.round();
  const bool between = referee_.is_between();
  const std::string problem = referee_.says(host, message);
  if (!problem.empty()) return broken("the leader: " + problem);
  const bool begins = between && !referee_.is_between();
  if (!begins && referee_.round() == round) return;
  if (begins) check_nobody_stopped();
  check_pace(begins);
  post_blows(!begins);
}

/// Who is asked to stop while others wait for it lets none of them start a worker.
void Job::check_nobody_stopped() {
  for (const auto& host : hosts_)
    expect(!host->stopped_unready(),
           host->name() + " is stopped before it is ready, and a round begins");
}

/// No worker runs while one of another round does.
void Job::worker_starts(const Host& host, int round) {
  for (const auto& other : hosts_) {
    if (!other->begun() || !other->round().has_workers()) continue;
    expect(other->round().number() == round,
           fmt::format("a worker of round {} starts on {} while one of round {} runs on {}", round,
                       host.name(), other->round().number(), other->name()));
  }
}

bool Job::stopped_between() const {
  return std::any_of(hosts_.begin(), hosts_.end(),
                     [](const auto& host) { return host->stopped_between(); });
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

}  // namespace trainit::simulation
