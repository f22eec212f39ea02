#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "check/finding.h"
#include "check/probe_report.h"
#include "check/python.h"
#include "check/subject.h"

/// Area "deep": what the GPUs can do and whether they come to right results, as trainit-gpu-probe
/// tries it, in a process with a deadline.
namespace trainit::check {

struct DeepFacts {
  int gpus = 0;               ///< that are to be tried
  std::string instance_type;  ///< may be empty or unknown
  std::string program;        ///< empty: it is nowhere
  std::vector<std::string> looked_in;
  std::string trouble;  ///< why the program came to no good end; empty: it did
  bool in_time = true;  ///< false: it was ended at the deadline
  std::chrono::milliseconds deadline{0};
  ProbeReport report;
};
/// Looks for the program beside our own, then in PATH, and runs it where there are GPUs.
DeepFacts deep_facts(const Subject& subject, const PythonFacts& python);

/// Wrong results, errors of a GPU and a GPU that hangs are errors; what is slow, or could not be
/// tried, is a warning.
AreaReport judge_deep(const DeepFacts& facts);

/// Of the speed that the makers promise. A sound GPU's memory moves 75 to 95 % of it in practice,
/// so less than 60 % is no matter of how it was measured.
inline constexpr double kLeastMemoryShare = 0.6;
/// NCCL comes to 70 % of NVLink and more; where a link or a switch is gone and PCIe takes its
/// place, it is 10 % or less.
inline constexpr double kLeastSumShare = 0.4;
inline constexpr double kLeastCopyShare = 0.5;
/// Of the middle one of the GPUs of a host. Those of one kind differ by a few percent in their
/// clocks; one that is slowed down by heat, say, makes all ranks wait.
inline constexpr double kLeastPeerShare = 0.75;

/// What NCCL's own tests call bus bandwidth: how fast the links have to be for so many bytes a
/// second of each of so many GPUs.
double bus_speed(double bytes_per_second, int gpus);

}  // namespace trainit::check
