#include "supervise/gpu_watch.h"

#include <signal.h>

#include "hardware/gpu_helper/embedded.h"
#include "sys/files.h"
#include "sys/memfd.h"
#include "sys/posix.h"

namespace trainit::supervise {
namespace {

constexpr char kName[] = "trainit-gpu-watch";

/// On a large machine whose driver sleeps the first answer alone takes seconds.
constexpr auto kSlowness = std::chrono::seconds(2);

sys::InheritedSignals no_signals() {
  sys::InheritedSignals signals = {};
  sigemptyset(&signals.mask);
  sigemptyset(&signals.ignored);
  sigemptyset(&signals.dropped);
  return signals;
}

}  // namespace

Result<void> GpuWatch::start(sys::EventLoop& loop) {
  const sys::UniqueFd program =
      TRAINIT_TRY(sys::program_in_memory(kName, hardware::gpu_helper_program()));
  const sys::UniqueFd writer =
      TRAINIT_TRY(lines_.open(loop, {.line = [this](std::string_view line) { hear(line); }}));
  const sys::UniqueFd nothing = sys::open_nothing();
  sys::SpawnRequest request;
  request.executable_fd = program.get();
  request.argv = {kName, "watch", std::to_string(interval_.count())};
  request.environment = environment_;
  request.stdin_fd = request.stderr_fd = nothing.get();
  request.stdout_fd = writer.get();
  request.pass_on = false;
  request.death_signal = SIGKILL;
  auto child = sys::spawn(request, no_signals());
  if (!child) return fail(sys::describe(child.error(), request));
  pid_ = child->pid;
  exec_result_ = std::move(child->exec_result);
  heard_at_ = sys::Clock::now();
  return {};
}

void GpuWatch::end() {
  ended_by_us_ = true;
  if (pid_ > 0) posix::kill(pid_, SIGKILL);
}

std::optional<std::string> GpuWatch::forget(const sys::ExitStatus& status, bool ended_by_us) {
  lines_.read_all();  // what it said last
  lines_.close();
  pid_ = -1;
  const auto error = sys::read_exec_result(exec_result_.borrow());
  exec_result_.reset();
  if (ended_by_us_ || ended_by_us) return std::nullopt;
  own_end_ = status;
  if (status.success() && !error) return std::nullopt;
  return error ? "it cannot be run: " + sys::errno_text(error->errno_value)
               : "its process " + sys::describe(status);
}

std::optional<sys::Duration> GpuWatch::silence() {
  if (pid_ < 0) return std::nullopt;
  lines_.read();
  const sys::Duration silent = sys::Clock::now() - heard_at_;
  return silent > 2 * interval_ + kSlowness ? std::optional(silent) : std::nullopt;
}

void GpuWatch::hear(std::string_view line) {
  heard_at_ = sys::Clock::now();
  if (const auto parsed = hardware::watch::parse(line)) health_.hear(*parsed, heard_at_);
}

}  // namespace trainit::supervise
