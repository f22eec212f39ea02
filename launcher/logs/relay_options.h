#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "logs/console.h"

namespace trainit::logs {

/// What becomes of the workers' output while a reader of ours does not keep up.
enum class WhenFull {
  kBlock,  ///< the workers wait
  kDrop,   ///< whole lines are dropped, and it is said how many
  kSpill,  ///< whole lines go to a file instead
};

struct RelayOptions {
  int stdout_fd = 1, stderr_fd = 2;            ///< where it all goes; they stay the caller's
  std::size_t memory = std::size_t{64} << 20;  ///< bytes that may be queued or held back, in all
  sys::Duration unfinished_line = kUnfinishedLine;  ///< after which it is passed on as it is
  WhenFull when_full = WhenFull::kBlock;
  std::string spill_directory;  ///< for kSpill: "rank-3.stderr.spilled.log"

  std::string host;    ///< for prefixes
  int first_rank = 0;  ///< of this host
  /// As render_prefix takes it; unset: "[rank {rank}] " with several workers, else nothing.
  std::optional<std::string> prefix;
  bool prefix_rank_zero = false;
  bool only_rank_zero = false;  ///< the others' output is not shown, only kept in files and tails
  bool collapse_progress = false;

  std::string directory;  ///< for a file a stream, "rank-3.stderr.log"; empty: none
  std::uint64_t file_bytes = std::uint64_t{64} << 20;  ///< from when a file is rotated; 0: never
  int files_kept = 3;                                  ///< rotated ones, of each stream
};

}  // namespace trainit::logs
