#include "supervise/gpu_watch.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/epoll.h>

#include <cerrno>

#include "hardware/gpu_helper/embedded.h"
#include "sys/files.h"
#include "sys/memfd.h"
#include "sys/posix.h"

namespace trainit::supervise {
namespace {

constexpr char kName[] = "trainit-gpu-watch";
constexpr std::size_t kLongestLine = 1 << 16;

/// On a large machine whose driver sleeps the first answer alone takes seconds.
constexpr auto kSlowness = std::chrono::seconds(2);

tl::unexpected<Error> cannot(std::string_view what) {
  return fail(fmt::format("{}: {}", what, sys::errno_text(errno)));
}

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
  int ends[2];
  if (posix::pipe2(ends, O_CLOEXEC) != 0) return cannot("a pipe");
  lines_.reset(ends[0]);
  const sys::UniqueFd writer(ends[1]);
  if (posix::fcntl(lines_.get(), F_SETFL, O_NONBLOCK) != 0) return cannot("a pipe");
  const sys::UniqueFd nothing = sys::open_nothing();
  sys::SpawnRequest request;
  request.executable_fd = program.get();
  request.argv = {kName, "watch", std::to_string(interval_.count())};
  request.environment = environment_;
  request.stdin_fd = request.stderr_fd = nothing.get();
  request.stdout_fd = writer.get();
  request.death_signal = SIGKILL;
  auto child = sys::spawn(request, no_signals());
  if (!child) return fail(sys::describe(child.error(), request));
  pid_ = child->pid;
  exec_result_ = std::move(child->exec_result);
  heard_at_ = sys::Clock::now();
  loop_ = &loop;
  return loop.watch(lines_.borrow(), EPOLLIN, [this](std::uint32_t) { read_lines(); });
}

void GpuWatch::end() {
  ended_by_us_ = true;
  if (pid_ > 0) posix::kill(pid_, SIGKILL);
}

std::optional<std::string> GpuWatch::forget(const sys::ExitStatus& status) {
  while (read_lines()) {  // what it said last
  }
  stop_listening();
  pid_ = -1;
  const auto error = sys::read_exec_result(exec_result_.borrow());
  exec_result_.reset();
  if (ended_by_us_) return std::nullopt;
  own_end_ = status;
  if (status.success() && !error) return std::nullopt;
  return error ? "it cannot be run: " + sys::errno_text(error->errno_value)
               : "its process " + sys::describe(status);
}

std::optional<sys::Duration> GpuWatch::silence() {
  if (pid_ < 0) return std::nullopt;
  read_lines();
  const sys::Duration silent = sys::Clock::now() - heard_at_;
  return silent > 2 * interval_ + kSlowness ? std::optional(silent) : std::nullopt;
}

void GpuWatch::stop_listening() {
  if (!lines_) return;
  if (loop_ != nullptr) loop_->unwatch(lines_.borrow());
  lines_.reset();
}

/// False: there was nothing. One read a turn, so that a flood of XIDs keeps nobody waiting.
bool GpuWatch::read_lines() {
  char buffer[4096];
  const ssize_t size = lines_ ? posix::read(lines_.get(), buffer, sizeof buffer) : -1;
  if (size == 0) stop_listening();
  if (size <= 0) return false;
  heard_at_ = sys::Clock::now();
  line_.append(buffer, static_cast<std::size_t>(size));
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = line_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const auto line = hardware::watch::parse(std::string_view(line_).substr(begin, end - begin));
    if (line) health_.hear(*line, heard_at_);
  }
  line_.erase(0, begin);
  if (line_.size() > kLongestLine) line_.clear();
  return true;
}

}  // namespace trainit::supervise
