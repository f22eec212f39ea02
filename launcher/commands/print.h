#pragma once

#include <string_view>

#include "base/log.h"

namespace trainit::commands {

/// Writes a command's answer to stdout. Returns the exit code: 0, or 125 when it could not be
/// written, which the log says.
int print(std::string_view text, const Logger& log);

}  // namespace trainit::commands
