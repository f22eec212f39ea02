#include "schedule.h"

#include <algorithm>

#include "dice.h"

namespace trainit::simulation {
namespace {

using testing::Dice;

int host_count(Dice& dice) { return dice.one_in(12) ? 20 : 2 + dice.roll(dice.one_in(3) ? 7 : 3); }

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : dice_(seed) { schedule_.seed = seed; }

  Schedule draw() {
    constexpr Theme kThemes[] = {Theme::kWell,    Theme::kFailure, Theme::kFailure, Theme::kStop,
                                 Theme::kLost,    Theme::kLost,    Theme::kSetUp,   Theme::kDiffers,
                                 Theme::kMissing, Theme::kStore,   Theme::kChaos,   Theme::kChaos};
    schedule_.theme = kThemes[dice_.roll(static_cast<int>(std::size(kThemes)))];
    schedule_.meet = between(dice_, 25, 40) * kSecond;
    schedule_.grace = between(dice_, 500, 6000) * kMillisecond;
    schedule_.stop_leaders = between(dice_, 500, 4000) * kMillisecond;
    schedule_.stop_groups = between(dice_, 100, 1000) * kMillisecond;
    schedule_.base_delay =
        dice_.one_in(5) ? between(dice_, 1, 60) * kMillisecond : between(dice_, 30, 500);
    schedule_.hosts.resize(static_cast<std::size_t>(host_count(dice_)));
    const bool together = dice_.one_in(2);
    job_ = between(dice_, 1, dice_.one_in(3) ? 40 : 15) * kSecond;
    for (HostSchedule& host : schedule_.hosts) draw_host(host, together);
    schedule_.culprit = dice_.roll(count());
    schedule_.culprit_worker = dice_.roll(static_cast<int>(culprit().workers.size()));
    draw_theme(schedule_.theme);
    if (schedule_.theme != Theme::kChaos && dice_.one_in(2)) disturb();
    draw_restarts(schedule_, job_);
    return std::move(schedule_);
  }

 private:
  int count() const { return static_cast<int>(schedule_.hosts.size()); }
  HostSchedule& any() { return schedule_.hosts[static_cast<std::size_t>(dice_.roll(count()))]; }
  HostSchedule& culprit() { return schedule_.hosts[static_cast<std::size_t>(schedule_.culprit)]; }
  Micros some_time() { return between(dice_, 0, job_ + 12 * kSecond); }

  void draw_host(HostSchedule& host, bool together) {
    host.starts = together ? between(dice_, 0, 200 * kMillisecond) : between(dice_, 0, 5 * kSecond);
    host.skew = between(dice_, 1, 1'000'000) * kSecond;
    host.drift = dice_.roll(81) - 40;
    host.set_up =
        dice_.one_in(4) ? between(dice_, 0, 2 * kSecond) : between(dice_, 0, 50 * kMillisecond);
    const int workers = 1 + dice_.roll(dice_.one_in(4) ? 4 : 2);
    host.workers.resize(static_cast<std::size_t>(workers));
    const Micros uneven = dice_.one_in(4) ? 10 * kSecond : kSecond;
    for (Story& story : host.workers) story = draw_story(dice_, job_, uneven);
  }

  void draw_theme(Theme theme) {
    switch (theme) {
      case Theme::kWell:
        return;
      case Theme::kFailure:
        return let_fail(
            dice_, culprit().workers[static_cast<std::size_t>(schedule_.culprit_worker)], job_);
      case Theme::kStop:
        return stop_some();
      case Theme::kLost:
        return lose(culprit());
      case Theme::kSetUp:
        if (dice_.one_in(2)) {
          culprit().trouble_at = between(dice_, 0, 8 * kSecond);
        } else {
          culprit().trouble_after = true;
        }
        return;
      case Theme::kDiffers:
        culprit().differs = true;
        return;
      case Theme::kMissing:
        culprit().comes = false;
        return;
      case Theme::kStore:
        schedule_.store_ends = some_time();
        return;
      case Theme::kChaos:
        return make_chaos();
    }
  }

  void stop_some() {
    const Micros first = some_time();
    schedule_.stops_all = dice_.one_in(2);
    for (HostSchedule& host : schedule_.hosts) {
      if (!schedule_.stops_all && &host != &culprit()) continue;
      host.stops.push_back(first +
                           between(dice_, 0, dice_.one_in(2) ? 50 * kMillisecond : kSecond));
    }
  }

  void lose(HostSchedule& host) {
    const Micros when = some_time();
    switch (dice_.roll(5)) {
      case 0:
        host.killed = when;
        return;
      case 1:
        host.powerless = when;
        return;
      case 2:
        host.cuts.push_back({{when, kNever}, false});
        return;
      case 3:
        host.cuts.push_back({{when, when + between(dice_, 0, 20 * kSecond)}, true});
        return;
      default:
        host.freezes.push_back({when, when + between(dice_, 9 * kSecond, 40 * kSecond)});
        host.clock_freezes = dice_.one_in(4);
    }
  }

  /// What has to be survived.
  void disturb() {
    schedule_.quiet = false;
    const Micros when = some_time(), long_as = between(dice_, 0, 4'900 * kMillisecond);
    switch (dice_.roll(5)) {
      case 0:
        any().cuts.push_back({{when, when + long_as}, false});
        return;
      case 1:
        any().loss = 20;
        return;
      case 2:
        for (HostSchedule& host : schedule_.hosts) host.loss = 5;
        return;
      case 3:
        return freeze_all();
      default: {
        HostSchedule& host = any();
        host.freezes.push_back({when, when + long_as});
        host.clock_freezes = host.freezes.size() == 1 && dice_.one_in(3);
      }
    }
  }

  /// As when all of them are machines of one that is suspended.
  void freeze_all() {
    if (schedule_.theme == Theme::kLost) return;
    const Micros when = between(dice_, 8 * kSecond, job_ + 12 * kSecond);
    const Micros back = when + between(dice_, 0, 30 * kSecond);
    for (HostSchedule& host : schedule_.hosts) {
      host.freezes.push_back({when + between(dice_, 0, 100 * kMillisecond),
                              back + between(dice_, 100 * kMillisecond, 300 * kMillisecond)});
    }
  }

  void make_chaos() {
    schedule_.quiet = false;
    for (int times = 1 + dice_.roll(4); times > 0; --times) {
      if (dice_.one_in(3)) {
        disturb();
        continue;
      }
      schedule_.culprit = dice_.roll(count());
      schedule_.culprit_worker = dice_.roll(static_cast<int>(culprit().workers.size()));
      draw_theme(static_cast<Theme>(dice_.roll(static_cast<int>(Theme::kChaos))));
    }
  }

  Dice dice_;
  Schedule schedule_;
  Micros job_ = 0;
};

}  // namespace

Schedule Schedule::of(std::uint64_t seed) { return Draw(seed).draw(); }

}  // namespace trainit::simulation
