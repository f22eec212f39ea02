#include <signal.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "diagnose/evidence.h"
#include "diagnose/exit_codes.h"

namespace trainit::diagnose {
namespace {

bool failed(const Evidence& evidence) {
  return !evidence.spawn_error && !evidence.status.success();
}

bool was_killed(const Evidence& evidence) {
  return signal_behind(evidence.status) == SIGKILL && !evidence.killed_by_us;
}

/// What programs say when one of their children is gone.
bool speaks_of_a_killed_child(const Evidence& evidence) {
  constexpr std::array<std::string_view, 5> kWords = {"killed by signal", "SIGKILL",
                                                      "terminated abruptly", "exited unexpectedly",
                                                      "died with <Signals"};
  if (!evidence.error) return false;
  return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view words) {
    return evidence.error->summary.find(words) != std::string::npos;
  });
}

/// Orders workers by how likely it is that the kernel took a child of theirs.
auto likelihood(const Evidence& evidence) {
  const bool communication = evidence.error && evidence.error->communication;
  return std::tuple(!speaks_of_a_killed_child(evidence), communication, evidence.stopped_by_us,
                    failed_at(evidence), evidence.rank);
}

}  // namespace

void attribute_oom_kills(std::span<Evidence> gathered, std::optional<std::int64_t> kills) {
  if (!kills) return;
  bool found = false;
  Evidence* likeliest = nullptr;
  for (Evidence& evidence : gathered) {
    evidence.oom_ruled_out = *kills <= 0;
    if (*kills <= 0 || !failed(evidence)) continue;
    evidence.oom = was_killed(evidence);
    found |= evidence.oom;
    if (likeliest == nullptr || likelihood(evidence) < likelihood(*likeliest))
      likeliest = &evidence;
  }
  if (!found && likeliest != nullptr) likeliest->oom = true;
}

}  // namespace trainit::diagnose
