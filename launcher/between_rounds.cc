#include "between_rounds.h"

#include "base/text.h"
#include "supervise/gpu_watch.h"
#include "sys/process_tree.h"

namespace trainit {
namespace {

using namespace std::chrono_literals;

constexpr sys::Duration kGlance = 100ms;
constexpr std::chrono::milliseconds kSampled = 500ms;
constexpr std::uint64_t kFreeEnough = std::uint64_t{512} << 20;
/// For who was sent SIGKILL. In a driver that hangs even that may take for ever.
constexpr sys::Duration kGoes = 500ms;

/// Sees how much memory of the GPUs is in use, as long as it lives.
class GpuMemory {
 public:
  GpuMemory(sys::EventLoop& loop, const JobContext& context, const Gpus& gpus)
      : loop_(loop),
        watch_({context.inherited,
                kSampled,
                gpus.devices,
                {.record = [](std::string_view, const Json::Object&) {},
                 .warn = [](const std::string&) {}}}) {}
  ~GpuMemory() {
    watch_.end();
    wait_in(
        loop_, kGoes, [this] { return is_gone(); }, [] { return false; });
  }
  GpuMemory(const GpuMemory&) = delete;
  GpuMemory& operator=(const GpuMemory&) = delete;

  Result<void> start() { return watch_.start(loop_); }

  /// Whether who looks has ended, because it cannot.
  bool is_gone() {
    if (watch_.pid() < 0) return true;
    const auto status = sys::reap_if_ended(watch_.pid());
    if (status) watch_.forget(*status, false);
    return status.has_value();
  }

  /// The GPU that has most in use, and how many bytes; nothing: they have not all told yet.
  std::optional<supervise::GpuHealth::MemoryInUse> most_in_use() const {
    return watch_.health().most_memory_in_use();
  }

 private:
  sys::EventLoop& loop_;
  supervise::GpuWatch watch_;
};

}  // namespace

bool wait_in(sys::EventLoop& loop, sys::Duration most, const std::function<bool()>& done,
             const std::function<bool()>& given_up) {
  const sys::TimePoint latest = sys::Clock::now() + most;
  while (!done() && !given_up()) {
    const sys::TimePoint now = sys::Clock::now();
    if (now >= latest) return true;
    loop.run_once(std::min(latest - now, kGlance));
  }
  return !given_up();
}

void wait_for_gpu_memory(sys::EventLoop& loop, const JobContext& context, const Gpus& gpus,
                         const Logger& log, const std::function<bool()>& given_up) {
  if (gpus.count() == 0 || gpus.source != "libcuda") return;
  GpuMemory memory(loop, context, gpus);
  if (const auto started = memory.start(); !started) {
    log.warning("how much memory of the GPUs is in use cannot be seen: {}",
                started.error().message);
    return;
  }
  const auto is_free = [&] {
    const auto most = memory.most_in_use();
    return most && most->bytes <= kFreeEnough;
  };
  const auto is_done = [&] { return memory.is_gone() || is_free(); };
  const sys::Duration most_time = context.options.gpu_memory_wait;
  if (!wait_in(loop, most_time, is_done, given_up) || is_done()) return;
  const auto most = memory.most_in_use();
  if (!most) return;
  log.warning("GPU {} still has {} of its memory in use after {}: going on all the same", most->gpu,
              human_bytes(most->bytes), human_seconds(sys::in_seconds(most_time)));
}

}  // namespace trainit
