#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "coordination/message.h"
#include "environment/rank_environment.h"
#include "sys/event_loop.h"

/// What the fields of a message may be. A writer keeps to it, and a reader insists on it; that they
/// agree is why what was written can be read.
namespace trainit::coordination {

/// Of a number.
struct Range {
  int least, most;
};
inline constexpr Range kCounts{0, std::numeric_limits<int>::max()};
/// Of the workers of one host.
inline constexpr Range kSlots{1, environment::kMostWorkers};
/// An exit code out of this range could come out as 0 at the end of a process, which is a success.
inline constexpr Range kExitCodes{0, 255};
inline constexpr Range kSignals{0, 64};
inline constexpr Range kPorts{0, 65535};

inline constexpr auto kLastStopReason = StopReason::kSetUpFailed;

/// Points in time and durations, in microseconds: 71 years, so that sums of four fit into 64 bits
/// also as nanoseconds.
inline constexpr std::int64_t kMostTime = std::int64_t{1} << 51;

/// Of a text that is one line.
inline constexpr std::size_t kMostLine = 4 << 10;

/// Of a list: how many items, and how many bytes all of them.
struct ListLimits {
  std::size_t items, bytes;
};
/// Which the limits of its own parts keep within a frame.
inline constexpr ListLimits kEvidenceLimits{kMostEvidence, std::numeric_limits<std::size_t>::max()};
inline constexpr ListLimits kGpuLimits{128, 4 * std::size_t{128}};
inline constexpr ListLimits kModelLimits{1024, 32 << 10};
inline constexpr ListLimits kFactLimits{1024, 192 << 10};
inline constexpr ListLimits kLineLimits{256, 128 << 10};

}  // namespace trainit::coordination
