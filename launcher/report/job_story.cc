#include "report/job_story.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "base/text.h"

namespace trainit::report {
namespace {

/// As the launcher writes them, nearest to the root first.
constexpr std::array<std::string_view, 6> kKinds = {
    "exec failure", "out of memory", "gpu", "signal", "exception", "communication"};

double began(const HostStory& host) {
  return host.story.events.empty() ? 0 : host.story.events.front().time;
}

struct Candidate {
  Culprit culprit;
  std::ptrdiff_t kind;
  double moment;  ///< unix seconds

  bool operator<(const Candidate& other) const {
    return std::tie(kind, moment) < std::tie(other.kind, other.moment);
  }
};

Candidate candidate_of(const HostStory& host, const WorkerStory& worker) {
  const EvidenceStory& evidence = *worker.evidence;
  const double after =
      evidence.error_after.value_or(evidence.ended_after.value_or(host.story.last()));
  return {{&host, &worker},
          std::find(kKinds.begin(), kKinds.end(), evidence.kind) - kKinds.begin(),
          host.story.zero() + after};
}

}  // namespace

State state_of(const HostStory& host) {
  if (host.story.outcome) return host.story.outcome->success ? State::kSucceeded : State::kFailed;
  if (host.writer == Writer::kAlive) return State::kRunning;
  return host.writer == Writer::kGone && host.story.locked ? State::kKilled : State::kOpen;
}

std::string_view state_name(State state) {
  constexpr std::array<std::string_view, 5> kNames = {"succeeded", "failed", "running", "killed",
                                                      "open"};
  return kNames[static_cast<std::size_t>(state)];
}

void keep_last_job(JobStory& job) {
  std::sort(job.hosts.begin(), job.hosts.end(),
            [](const HostStory& a, const HostStory& b) { return began(a) < began(b); });
  if (job.hosts.empty()) return;
  const std::string last = job.hosts.back().story.job;
  std::erase_if(job.hosts, [&](const HostStory& host) {
    if (host.story.job == last) return false;
    job.remarks.push_back(fmt::format("{} is of an earlier job, {}", host.path,
                                      host.story.job.empty() ? "without a name" : host.story.job));
    return true;
  });
}

Culprit find_culprit(const JobStory& job) {
  std::vector<Candidate> candidates;
  for (const HostStory& host : job.hosts) {
    for (const auto& [rank, worker] : host.story.workers) {
      if (worker.evidence && worker.evidence->part == Part::kCause)
        candidates.push_back(candidate_of(host, worker));
    }
  }
  const auto first = std::min_element(candidates.begin(), candidates.end());
  return first == candidates.end() ? Culprit() : first->culprit;
}

bool failure_file_is_foreign(const JobStory& job) {
  if (job.failure_file.empty() || job.hosts.empty()) return false;
  const auto bytes = static_cast<std::int64_t>(job.failure_text.size());
  return std::none_of(job.hosts.begin(), job.hosts.end(), [&](const HostStory& host) {
    // While a job runs, only its program can have written one.
    const auto& outcome = host.story.outcome;
    return !outcome || outcome->failure_file_bytes == bytes;
  });
}

}  // namespace trainit::report
