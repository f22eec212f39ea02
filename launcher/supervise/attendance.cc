#include "supervise/attendance.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace trainit::supervise {
namespace {

/// Ranks that one event of the record names.
constexpr std::size_t kMostRecorded = 1000;

std::vector<coordination::HostRanks> hosts_of(const LaunchPlan& plan,
                                              const std::vector<coordination::HostRanks>& hosts) {
  if (!hosts.empty()) return hosts;
  return {{{}, plan.workers.front().rank, static_cast<int>(plan.workers.size())}};
}

}  // namespace

Attendance::Attendance(const LaunchPlan& plan, Parts parts)
    : plan_(plan), parts_(std::move(parts)), rendezvous_(hosts_of(plan_, parts_.peers.hosts)) {}

void Attendance::begin() {
  started_at_ = sys::Clock::now();
  if (!parts_.has_store || rendezvous_.workers() == 1 || plan_.late_after.count() == 0) return;
  timer_ = parts_.loop.after(plan_.late_after, [this] { look_for_late(); });
}

void Attendance::wait_no_longer() {
  if (timer_) parts_.loop.cancel(*timer_);
  timer_.reset();
}

void Attendance::end() {
  wait_no_longer();
  if (parts_.has_store && !rendezvous_.complete()) record();
}

/// A worker may have come to init_process_group in a process that its own one started. A process
/// that is nobody's, say a check from outside, is no worker that has come.
void Attendance::joined(const std::optional<sys::Address>& from, pid_t process) {
  if (rendezvous_.complete()) return;
  if (!from) look_for(process);
  if (parts_.peers.joined) parts_.peers.joined(from, process);
}

void Attendance::joined_nameless(int at_once) { note(rendezvous_.join_nameless(at_once)); }

void Attendance::look_for(pid_t process) {
  const int index = parts_.worker_behind(process);
  if (index < 0) return;
  const int rank = plan_.workers[static_cast<std::size_t>(index)].rank;
  if (!rendezvous_.join(rank)) return;
  if (!parts_.has_store) parts_.peers.came(rank);
  note(true);
}

void Attendance::came(int rank) { note(rendezvous_.join(rank)); }

void Attendance::note(bool news) {
  if (!news || !rendezvous_.complete()) return;
  if (parts_.has_store || late_told_) record();
  if (!late_told_) return;
  parts_.log.info("all {} workers{} have reached init_process_group after {}",
                  rendezvous_.workers(), parts_.has_store ? "" : " of this host",
                  human_seconds(sys::in_seconds(sys::Clock::now() - started_at_)));
}

/// Programs that meet in other ways, or not at all, come to no store: with one worker a host they
/// are what a host starts unless it is told otherwise.
bool Attendance::expects_any() const {
  if (plan_.meets_by_nccl()) return false;
  const auto& hosts = parts_.peers.hosts;
  return plan_.workers.size() > 1 ||
         std::any_of(hosts.begin(), hosts.end(), [](const auto& host) { return host.workers > 1; });
}

void Attendance::look_for_late() {
  timer_.reset();
  if (rendezvous_.complete() || parts_.is_stopping()) return;
  if (rendezvous_.joined() == 0 && !expects_any()) return;
  tell_late(plan_.late_after, rendezvous_.describe());
  const bool are_known = rendezvous_.joined() > 0 && !rendezvous_.missing().empty();
  if (are_known && parts_.peers.late) parts_.peers.late(plan_.late_after);
}

void Attendance::late(sys::Duration after) {
  if (rendezvous_.complete() || parts_.is_stopping()) return;
  tell_late(after, rendezvous_.describe_missing());
}

void Attendance::tell_late(sys::Duration after, const std::string& who) {
  late_told_ = true;
  constexpr double kMostSeconds = 120;  // that people read as such
  const double seconds = sys::in_seconds(after);
  parts_.log.warning(
      "after {}: {}",
      seconds > kMostSeconds ? human_seconds(seconds) : fmt::format("{:g} s", seconds), who);
  record();
}

void Attendance::record() const {
  Json::Object fields{{"joined", Json(rendezvous_.joined())},
                      {"workers", Json(rendezvous_.workers())}};
  Json::Array missing;
  for (const int rank : rendezvous_.missing()) {
    if (missing.size() < kMostRecorded) missing.push_back(Json(rank));
  }
  if (!missing.empty()) fields.push_back({"missing", Json(std::move(missing))});
  parts_.record.write("rendezvous", fields);
}

}  // namespace trainit::supervise
