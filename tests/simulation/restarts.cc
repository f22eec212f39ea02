#include <algorithm>

#include "schedule.h"

namespace trainit::simulation {
namespace {

using testing::Dice;

class Draw {
 public:
  Draw(Schedule& schedule, Micros job)
      : dice_(schedule.seed ^ 0x72657374617210ULL), schedule_(schedule), job_(job) {}

  void draw() {
    if (dice_.one_in(2)) return;
    draw_limits();
    draw_first_failure();
    for (int round = 0; round < schedule_.restarts.most; ++round) draw_round();
  }

 private:
  int host_count() const { return static_cast<int>(schedule_.hosts.size()); }
  Micros some_time(Micros most) { return between(dice_, 0, most); }

  void draw_limits() {
    diagnose::RestartLimits& limits = schedule_.restarts;
    limits.most = 1 + dice_.roll(3);
    limits.delay = std::chrono::milliseconds(dice_.one_in(3) ? 0 : dice_.roll(3000));
    if (dice_.one_in(5)) limits.min_uptime = std::chrono::milliseconds(dice_.roll(8000));
    if (dice_.one_in(5)) {
      const int least = 1 + dice_.roll(137);
      for (int code = least; code < least + 40; ++code) limits.never_after.insert(code);
    }
  }

  /// Without one there is no restart.
  void draw_first_failure() {
    switch (schedule_.theme) {
      case Theme::kWell:
        schedule_.theme = Theme::kFailure;
        break;
      case Theme::kStop:
      case Theme::kLost:
        if (dice_.one_in(3)) return;
        schedule_.theme = Theme::kChaos;
        schedule_.quiet = false;
        schedule_.culprit = dice_.roll(host_count());
        break;
      default:
        return;
    }
    fail(schedule_.hosts[static_cast<std::size_t>(schedule_.culprit)].workers, job_,
         schedule_.culprit_worker);
  }

  void fail(std::vector<Story>& workers, Micros lives, int& which) {
    which = dice_.roll(static_cast<int>(workers.size()));
    let_fail(dice_, workers[static_cast<std::size_t>(which)], lives);
  }

  void draw_round() {
    LaterRound& round = schedule_.later.emplace_back();
    const Micros lives = between(dice_, 500 * kMillisecond, 8 * kSecond);
    for (const HostSchedule& host : schedule_.hosts)
      round.hosts.push_back(draw_part(host.workers.size(), lives));
    if (dice_.one_in(2)) {
      round.culprit = dice_.roll(host_count());
      fail(round.hosts[static_cast<std::size_t>(round.culprit)].workers, lives,
           round.culprit_worker);
    }
    if (dice_.one_in(12)) round.store_ends = some_time(lives + kSecond);
    if (dice_.one_in(12)) cause_trouble(round);
    if (dice_.one_in(2)) round.blows.push_back(draw_blow(lives));
    if (dice_.one_in(10)) round.blows.push_back(draw_blow(lives));
  }

  Part draw_part(std::size_t workers, Micros lives) {
    Part part;
    part.set_up =
        dice_.one_in(4) ? between(dice_, 0, 2 * kSecond) : between(dice_, 0, 50 * kMillisecond);
    part.clears = dice_.one_in(3) ? between(dice_, 0, 5 * kSecond) : 0;
    const Micros uneven = dice_.one_in(4) ? 5 * kSecond : kSecond;
    for (std::size_t count = 0; count < workers; ++count)
      part.workers.push_back(draw_story(dice_, lives, uneven));
    return part;
  }

  void cause_trouble(LaterRound& round) {
    Part& part = round.hosts[static_cast<std::size_t>(dice_.roll(host_count()))];
    (dice_.one_in(2) ? part.trouble_after : part.trouble_clearing) = true;
  }

  Blow draw_blow(Micros lives) {
    constexpr Blow::Kind kKinds[] = {
        Blow::Kind::kStop,      Blow::Kind::kStop,   Blow::Kind::kStop,  Blow::Kind::kKilled,
        Blow::Kind::kPowerless, Blow::Kind::kCutOff, Blow::Kind::kReset, Blow::Kind::kCut,
        Blow::Kind::kCut,       Blow::Kind::kFrozen, Blow::Kind::kFrozen};
    Blow blow = {};
    blow.kind = kKinds[dice_.roll(static_cast<int>(std::size(kKinds)))];
    blow.host = dice_.roll(host_count());
    blow.before = dice_.one_in(2);
    const Micros delay = schedule_.restarts.delay.count() * kMillisecond;
    blow.after = some_time(blow.before ? delay + 2 * kSecond : lives + kSecond);
    // At the very moment at which something is said crosses it on its way.
    if (dice_.one_in(4)) blow.after = some_time(4 * schedule_.base_delay);
    blow.lasts = some_time(4'900 * kMillisecond);
    if (blow.kind == Blow::Kind::kFrozen && dice_.one_in(3))
      blow.lasts = between(dice_, 9 * kSecond, 25 * kSecond);
    return blow;
  }

  Dice dice_;
  Schedule& schedule_;
  Micros job_;
};

}  // namespace

void draw_restarts(Schedule& schedule, Micros job) { Draw(schedule, job).draw(); }

}  // namespace trainit::simulation
