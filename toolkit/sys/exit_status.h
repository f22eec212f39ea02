#pragma once

#include <signal.h>

#include <string>

namespace trainit::sys {

/// How a process ended: with a code, or by a signal.
struct ExitStatus {
  int code = 0;    ///< 0–255; meaningless when `signal` is set
  int signal = 0;  ///< 0: it exited by itself
  bool core_dumped = false;

  bool success() const { return code == 0 && signal == 0; }
  /// What a shell would report: the code, or 128 + the signal.
  int shell_code() const { return signal != 0 ? 128 + signal : code; }

  /// As waitid tells of an ended child.
  static ExitStatus of(const siginfo_t& info);
  static ExitStatus exited(int code) { return {code, 0, false}; }
  static ExitStatus killed(int signal, bool core_dumped = false) {
    return {0, signal, core_dumped};
  }
  bool operator==(const ExitStatus&) const = default;
};

/// "ended with code 3", "was killed by SIGSEGV (segmentation fault)".
std::string describe(const ExitStatus& status);

}  // namespace trainit::sys
