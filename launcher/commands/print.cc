#include "commands/print.h"

#include <cstdio>

#include "trainit/result.h"

namespace trainit::commands {

int print(std::string_view text, const Logger& log) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
    return 0;
  log.error("writing to stdout failed");
  return kSetUpFailed;
}

}  // namespace trainit::commands
