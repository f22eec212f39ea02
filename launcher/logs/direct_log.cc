#include "logs/direct_log.h"

#include "sys/event_loop.h"
#include "sys/posix.h"

namespace trainit::logs {
namespace {

constexpr sys::Duration kPatience = std::chrono::milliseconds(500);

}  // namespace

DirectLog::DirectLog(Logger& log, int fd) : log_(log), outlet_(fd) {
  log_.set_sink([this](std::string_view lines) { return take(lines); });
}

std::size_t DirectLog::take(std::string_view lines) {
  const Offer offer = outlet_.offer(lines);
  // On a full disk, or with a reader that is gone, there is nowhere to say it.
  return offer.state == Offer::State::kFull ? offer.bytes : lines.size();
}

DirectLog::~DirectLog() {
  const sys::TimePoint deadline = sys::Clock::now() + kPatience;
  while (!log_.flush()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - sys::Clock::now()).count();
    if (left <= 0) break;
    pollfd entry = {outlet_.descriptor().get(), POLLOUT, 0};
    posix::poll(&entry, 1, static_cast<int>(left));
  }
  log_.set_sink(nullptr);
}

}  // namespace trainit::logs
