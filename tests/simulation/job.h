#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host.h"
#include "referee.h"

namespace trainit::simulation {

/// One job over all hosts of a schedule, from its start to its end, and what it promises.
class Job : public World {
 public:
  explicit Job(std::uint64_t seed, bool keep_trace = false);

  /// Lives through it. Returns the first promise that was broken, or nothing.
  std::string run();
  const std::string& trace() const { return timeline_.trace(); }
  /// Rounds after the first that were begun, or made ready for.
  int restarts() const { return referee_.round(); }
  /// A host was stopped between two rounds.
  bool stopped_between() const;

 private:
  void on_host(int host, std::function<void()> what) override;
  Host* leader() override { return hosts_.front().get(); }
  void missed() override;
  void broken(const std::string& promise) override;
  void worker_starts(const Host& host, int round) override;
  void hub_hears(int host, const coordination::Message& message) override;
  void hub_loses(int host) override { referee_.loses(host); }
  void hub_says(int host, const coordination::Message& message) override;
  Network& network() override { return network_; }

  void post_fates();
  void post_stop(int host, Micros when);
  void post_cut(int host, const Cut& cut);
  void post_blows(bool before);
  void post(const Blow& blow);
  bool all_gone() const;
  Host& culprit() { return *hosts_[static_cast<std::size_t>(schedule_.culprit)]; }
  const HostSchedule& fate_of_culprit() const {
    return schedule_.hosts[static_cast<std::size_t>(schedule_.culprit)];
  }
  void expect(bool promise, const std::string& otherwise) {
    if (!promise) broken(otherwise);
  }
  Micros last_cause() const;
  Micros last_cause_on(const Host& host, const HostSchedule& fate) const;
  Micros to_stop() const;

  void check_truth();
  void check_agreement();
  void check_time();
  void check_stop_budget();
  void check_theme();
  void check_all_well();
  void check_failure();
  void check_stop();
  void check_lost();
  void check_restarts();
  void check_told_soon(int round);
  void check_single_blow();
  void check_pace(bool begins);
  void check_nobody_stopped();
  bool heals() const;
  void check_refusal(const std::vector<std::string>& words);

  /// A blow of a later round.
  struct Posted {
    Micros at;
    Blow blow;
    bool between = false;  ///< it fell when all hosts were between two rounds
  };

  Schedule schedule_;
  Timeline timeline_;
  Network network_;
  Referee referee_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<Posted> posted_;
  std::string problem_;
};

}  // namespace trainit::simulation
