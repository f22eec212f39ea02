#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "sys/event_loop.h"

namespace trainit::report {

/// One worker of this host in the summary at the end of the log.
struct WorkerSummary {
  int rank = 0;
  pid_t pid = -1;           ///< -1: it never ran
  std::string ended;        ///< "0", "1", "SIGSEGV", "not started", "not at all"
  sys::Duration after{};    ///< from its start to its end
  long max_memory_kib = 0;  ///< peak resident memory; 0: not known
};

/// The summary block, for the log: a headline and a line for each worker, in columns. Of more than
/// 16 workers only those that ended differently from most are shown, and one line stands for the
/// rest.
std::vector<std::string> summary_lines(std::span<const WorkerSummary> workers);

}  // namespace trainit::report
