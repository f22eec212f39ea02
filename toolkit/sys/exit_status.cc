#include "sys/exit_status.h"

#include <fmt/core.h>

#include "sys/signals.h"

namespace trainit::sys {

ExitStatus ExitStatus::of(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return exited(info.si_status);
  return killed(info.si_status, info.si_code == CLD_DUMPED);
}

std::string describe(const ExitStatus& status) {
  if (status.signal == 0) return fmt::format("ended with code {}", status.code);
  const std::string_view meaning = signal_meaning(status.signal);
  std::string text = "was killed by " + signal_name(status.signal);
  if (!meaning.empty()) text += fmt::format(" ({})", meaning);
  if (status.core_dumped) text += ", core dumped";
  return text;
}

}  // namespace trainit::sys
