#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host.h"

namespace trainit::simulation {

/// One job over all hosts of a schedule, from its start to its end, and what it promises.
class Job : public World {
 public:
  explicit Job(std::uint64_t seed, bool keep_trace = false);

  /// Lives through it. Returns the first promise that was broken, or nothing.
  std::string run();
  const std::string& trace() const { return timeline_.trace(); }
  const Schedule& schedule() const { return schedule_; }

 private:
  void on_host(int host, std::function<void()> what) override;
  Host* leader() override { return hosts_.front().get(); }
  void missed() override;
  void broken(const std::string& promise) override;
  Network& network() override { return network_; }

  void post_fates();
  bool all_gone() const;
  Host& culprit() { return *hosts_[static_cast<std::size_t>(schedule_.culprit)]; }
  const HostSchedule& fate_of_culprit() const {
    return schedule_.hosts[static_cast<std::size_t>(schedule_.culprit)];
  }
  void expect(bool promise, const std::string& otherwise) {
    if (!promise) broken(otherwise);
  }
  Micros last_cause() const;
  Micros to_stop() const;

  void check_truth();
  void check_agreement();
  void check_time();
  void check_theme();
  void check_all_well();
  void check_failure();
  void check_stop();
  void check_lost();
  void check_refusal(const std::vector<std::string>& words);

  Schedule schedule_;
  Timeline timeline_;
  Network network_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::string problem_;
};

}  // namespace trainit::simulation
