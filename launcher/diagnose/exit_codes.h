#pragma once

#include <string>
#include <string_view>

#include "sys/exit_status.h"

namespace trainit::diagnose {

/// What an exit code means that people misread, such as 137 or 255; empty when the code says no
/// more than that the program failed.
std::string_view exit_code_meaning(int code);

/// The signal that an exit code stands for, because a shell or a wrapper reports a child's death as
/// 128 + the signal; 0 for every other code, and for signals that a program sends to itself.
int signal_behind(const sys::ExitStatus& status);

/// "exit code 1", "exit code 127: command not found", "SIGSEGV: segmentation fault", "SIGKILL: from
/// outside, perhaps out of memory".
std::string explain(const sys::ExitStatus& status);

}  // namespace trainit::diagnose
