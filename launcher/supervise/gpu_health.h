#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hardware/watch_line.h"
#include "hardware/xid.h"
#include "sys/event_loop.h"
#include "trainit/hardware.h"
#include "trainit/json.h"

namespace trainit::supervise {

/// How the GPUs of a job fare while it runs, by what the GPU helper says of them: what of it goes
/// into the record and into the log, what explains a failure, and what remains at the end. No clock
/// and no system call. GPUs that the job cannot see are passed over.
class GpuHealth {
 public:
  struct Sinks {
    /// An event of the run record.
    std::function<void(std::string_view event, const Json::Object& fields)> record;
    /// One sentence for the log.
    std::function<void(const std::string& sentence)> warn;
  };
  /// `gpus`: as a CUDA program of this job sees them.
  GpuHealth(std::vector<Gpu> gpus, Sinks sinks);

  void hear(const hardware::watch::Line& line, sys::TimePoint now);

  /// What the GPUs themselves reported, in order; of very many the last.
  const std::vector<hardware::GpuFault>& faults() const { return faults_; }
  /// Whether one of them, since then, is of the hardware or the driver.
  bool hardware_failed_since(sys::TimePoint when) const;

  /// The GPU that has most of its memory in use, and how much; nothing: not all of them have told
  /// yet.
  struct MemoryInUse {
    int gpu;
    std::uint64_t bytes;
  };
  std::optional<MemoryInUse> most_memory_in_use() const;

  /// For the end of the log: one line when something was wrong, else none.
  std::vector<std::string> remarks() const;
  /// For the end of the record: an object a GPU.
  Json::Array summary() const;

 private:
  /// What is told apart of a GPU's reasons for lower clocks, by name.
  using Seconds = std::map<std::string_view, double>;
  struct State {
    std::string pci;
    std::optional<hardware::watch::Sample> last, written;
    sys::TimePoint last_at, written_at;
    int peak_temperature = 0;
    std::uint64_t peak_memory = 0;
    double busy_sum = 0;
    int busy_count = 0;
    double observed = 0, slowed = 0;  ///< seconds; slowed: by heat or for want of power
    Seconds throttled;
    std::int64_t errors_before = 0;  ///< of its memory, before the job
    std::map<int, int> xids;         ///< number → how often
    bool lost = false;
  };

  void on(const hardware::watch::Sample& sample, sys::TimePoint now);
  void on(const hardware::watch::Sampled&, sys::TimePoint now);
  void on(const hardware::watch::Xid& xid, sys::TimePoint now);
  void on(const hardware::watch::Lost& lost, sys::TimePoint now);
  void on(const hardware::watch::Started&, sys::TimePoint) {}
  void on(const hardware::watch::CannotWatch& why, sys::TimePoint now);
  State* state_of(const hardware::watch::Device& device, int& gpu);
  void add_fault(hardware::GpuFault fault);
  static void count(State& state, const hardware::watch::Sample& sample, sys::TimePoint now);
  static std::string remark_of(int gpu, const State& state);
  static Json summary_of(int gpu, const State& state);

  std::vector<Gpu> gpus_;
  Sinks sinks_;
  std::map<int, State> states_;  ///< by the number that CUDA programs use
  std::vector<hardware::GpuFault> faults_;
};

}  // namespace trainit::supervise
