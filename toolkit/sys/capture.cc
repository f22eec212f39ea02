#include "sys/capture.h"

#include <fmt/core.h>

#include <cerrno>
#include <chrono>

#include "sys/event_loop.h"
#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::sys {
namespace {

constexpr std::size_t kCaptureLimit = 1 << 20;

/// What comes from a helper, and what makes us leave it.
struct Channel {
  UniqueFd output, input, stop;
  TimePoint deadline;
};

Result<Channel> open_channel(const Patience& patience) {
  Channel channel;
  int ends[2];
  if (posix::pipe2(ends, O_CLOEXEC) != 0) return fail("making a pipe: " + errno_text(errno));
  channel.output.reset(ends[0]);
  channel.input.reset(ends[1]);
  channel.stop = TRAINIT_TRY(open_stop_fd(patience.stops));
  channel.deadline = Clock::now() + std::chrono::milliseconds(patience.milliseconds);
  return channel;
}

/// Adds all until end of file to `text`. Error: why it came to no end.
Result<void> read_to_end(const Channel& channel, std::string& text) {
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(channel.deadline - Clock::now()).count();
    if (left <= 0) return fail("it did not answer in time");
    pollfd ready[] = {{channel.output.get(), POLLIN, 0}, {channel.stop.get(), POLLIN, 0}};
    if (posix::poll(ready, 2, static_cast<int>(left)) < 0 && errno != EINTR)
      return fail(errno_text(errno));
    if (ready[1].revents != 0) return fail("a stop signal came");
    if (ready[0].revents == 0) continue;
    char buffer[4096];
    const ssize_t count = posix::read(channel.output.get(), buffer, sizeof buffer);
    if (count == 0) return {};
    if (count > 0) text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > kCaptureLimit) return fail("its answer is longer than 1 MiB");
  }
}

Result<ExitStatus> reap(pid_t pid) {
  siginfo_t info = {};
  while (posix::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0) {
    // Somebody else reaps: a caller who ignores SIGCHLD has the kernel do it.
    if (errno != EINTR) return fail("how it ended is not known: " + errno_text(errno));
  }
  return ExitStatus::of(info);
}

/// Whether the child has ended by then; it is not reaped.
bool ends_before(pid_t pid, TimePoint deadline) {
  while (true) {
    siginfo_t info = {};
    const int failed =
        posix::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
    if (failed != 0 || info.si_pid == pid) return true;
    if (Clock::now() >= deadline) return false;
    posix::poll(nullptr, 0, 1);
  }
}

/// Ends a child that overstayed: it gets 10 ms after TERM. One that waits inside a driver cannot be
/// killed until the driver lets it go, so after half a second it is left to be reaped later.
void end_child(pid_t pid) {
  posix::kill(pid, SIGTERM);
  ends_before(pid, Clock::now() + std::chrono::milliseconds(10));
  posix::kill(pid, SIGKILL);
  if (ends_before(pid, Clock::now() + std::chrono::milliseconds(500))) static_cast<void>(reap(pid));
}

/// Hears the child out; it has ended then, unless there is an error, and is not reaped.
Heard hear_out(pid_t pid, Channel& channel) {
  channel.input.reset();
  Heard heard;
  heard.end = read_to_end(channel, heard.text);
  if (heard.end && !ends_before(pid, channel.deadline)) heard.end = fail("it did not end in time");
  if (heard.end) return heard;
  heard.in_time = Clock::now() < channel.deadline;
  end_child(pid);
  return heard;
}

InheritedSignals no_signals() {
  InheritedSignals signals = {};
  sigemptyset(&signals.mask);
  sigemptyset(&signals.ignored);
  sigemptyset(&signals.dropped);
  return signals;
}

const std::string& name_of(const SpawnRequest& request) {
  return request.executable.empty() && !request.argv.empty() ? request.argv[0] : request.executable;
}

}  // namespace

Heard run_and_hear(SpawnRequest request, const Patience& patience) {
  Result<Channel> channel = open_channel(patience);
  if (!channel) return {{}, tl::unexpected(channel.error())};
  request.stdout_fd = channel->input.get();
  request.pass_on = false;
  const auto child = spawn(request, no_signals());
  if (!child) return {{}, fail(describe(child.error(), request))};
  Heard heard = hear_out(child->pid, *channel);
  if (!heard.end) {
    heard.end = fail(name_of(request), heard.end.error());
    return heard;
  }
  const Result<ExitStatus> status = reap(child->pid);
  if (const auto error = read_exec_result(child->exec_result.borrow())) {
    heard.end = fail(describe(*error, request));
  } else if (!status) {
    heard.end = fail(name_of(request), status.error());
  } else if (!status->success()) {
    heard.end = fail(fmt::format("{} {}", name_of(request), describe(*status)));
  }
  return heard;
}

Result<std::string> run_and_capture(SpawnRequest request, const Patience& patience) {
  Heard heard = run_and_hear(std::move(request), patience);
  if (!heard.end) return tl::unexpected(heard.end.error());
  return std::move(heard.text);
}

Result<std::string> run_forked(const std::string& name,
                               const std::function<void(BorrowedFd output)>& code,
                               const Patience& patience) {
  Channel channel = TRAINIT_TRY(open_channel(patience));
  const pid_t pid = posix::fork();
  if (pid < 0) return fail(fmt::format("{}: starting a process: {}", name, errno_text(errno)));
  if (pid == 0) {
    posix::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGTERM, SIG_DFL);  // a handler of our caller's is not the child's
    code(channel.input.borrow());
    ::_exit(0);
  }
  Heard heard = hear_out(pid, channel);
  if (!heard.end) return fail(name, heard.end.error());
  const Result<ExitStatus> status = reap(pid);
  if (!status) return fail(name, status.error());
  if (!status->success()) return fail(name + ": its process " + describe(*status));
  return std::move(heard.text);
}

}  // namespace trainit::sys
