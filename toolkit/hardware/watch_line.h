#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

/// What the GPU helper says while it watches (see gpu_helper/watch.h).
namespace trainit::hardware::watch {

/// Which GPU a line is of.
struct Device {
  int number = 0;         ///< as NVIDIA's management library counts, whatever a CUDA program sees
  std::string pci, uuid;  ///< "0000:3b:00.0", "GPU-…"; empty when unknown
};

/// One GPU at one moment. What is not known is nothing, or 0.
struct Sample {
  Device device;
  std::optional<int> temperature;                    ///< °C
  std::optional<int> power;                          ///< W
  std::optional<int> busy;                           ///< percent of the last second or so
  std::uint64_t memory_used = 0, memory_total = 0;   ///< bytes
  std::uint64_t throttle = 0;                        ///< mask of reasons for lower clocks
  std::int64_t memory_errors = 0;                    ///< uncorrectable, since the driver was loaded
  bool remap_pending = false, remap_failed = false;  ///< rows of bad memory to be replaced
};
/// All GPUs of a round have been told.
struct Sampled {};
struct Xid {
  Device device;
  int number = 0;
};
struct Lost {
  Device device;
};
struct Started {
  int gpus = 0;
  int with_events = 0;  ///< of so many XIDs are heard
};
/// It cannot watch, and ends.
struct CannotWatch {
  std::string reason;  ///< "libnvidia-ml.so.1: cannot open shared object file: …"
};
using Line = std::variant<Sample, Sampled, Xid, Lost, Started, CannotWatch>;

/// Nothing when it is no such line. Texts are made to fit on a line, and a number that no GPU can
/// have is not known.
std::optional<Line> parse(std::string_view line);

}  // namespace trainit::hardware::watch
