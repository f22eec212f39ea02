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

/// "torch.OutOfMemoryError: CUDA …" → "OutOfMemoryError"
std::string_view exception_name(std::string_view summary) {
  const std::string_view name = summary.substr(0, summary.find_first_of(": "));
  return name.substr(name.rfind('.') + 1);  // npos + 1 is 0
}

/// Whether the worker's error can be what the end of a child left it with. A bad value in the data
/// is no such error, whatever else the kernel took during the job.
bool may_have_lost_a_child(const Evidence& evidence) {
  constexpr std::array<std::string_view, 9> kExceptions = {
      "BrokenPipeError", "BrokenProcessPool",    "CalledProcessError",
      "ConnectionError", "ConnectionResetError", "ConnectionRefusedError",
      "EOFError",        "MemoryError",          "OSError"};
  if (!evidence.error || evidence.error->only_last_lines()) return true;
  if (evidence.error->communication || speaks_of_a_killed_child(evidence)) return true;
  const std::string_view name = exception_name(evidence.error->summary);
  return std::find(kExceptions.begin(), kExceptions.end(), name) != kExceptions.end();
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
    if (!may_have_lost_a_child(evidence)) continue;
    if (likeliest == nullptr || likelihood(evidence) < likelihood(*likeliest))
      likeliest = &evidence;
  }
  if (!found && likeliest != nullptr) likeliest->oom = true;
}

}  // namespace trainit::diagnose
