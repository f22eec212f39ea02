#include "sys/exit_status.h"

#include <fmt/core.h>

#include "sys/signals.h"

namespace trainit::sys {

std::string describe(const ExitStatus& status) {
  if (status.signal == 0) return fmt::format("ended with code {}", status.code);
  const std::string_view meaning = signal_meaning(status.signal);
  std::string text = "was killed by " + signal_name(status.signal);
  if (!meaning.empty()) text += fmt::format(" ({})", meaning);
  if (status.core_dumped) text += ", core dumped";
  return text;
}

}  // namespace trainit::sys
