#include "sys/line_pipe.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include <cerrno>
#include <utility>

#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::sys {

Result<UniqueFd> LinePipe::open(EventLoop& loop, Listener listener) {
  close();
  int ends[2];
  if (posix::pipe2(ends, O_CLOEXEC) != 0) return fail("a pipe: " + errno_text(errno));
  UniqueFd reader(ends[0]), writer(ends[1]);
  if (posix::fcntl(reader.get(), F_SETFL, O_NONBLOCK) != 0)
    return fail("a pipe: " + errno_text(errno));
  TRAINIT_TRY(loop.watch(reader.borrow(), EPOLLIN, [this](std::uint32_t) { read(); }));
  loop_ = &loop;
  listener_ = std::move(listener);
  reader_ = std::move(reader);
  return writer;
}

/// One read a turn of the loop, so that a flood keeps nobody waiting.
bool LinePipe::read() {
  char buffer[4096];
  const ssize_t size = reader_ ? posix::read(reader_.get(), buffer, sizeof buffer) : -1;
  if (size == 0) close();
  if (size <= 0) return false;
  if (take({buffer, static_cast<std::size_t>(size)})) return true;
  close();
  if (listener_.gave_up) listener_.gave_up();
  return false;
}

/// False: a line is too long.
bool LinePipe::take(std::string_view bytes) {
  for (std::size_t end = 0; (end = bytes.find('\n')) != std::string_view::npos;) {
    line_ += bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    if (line_.size() > longest_) return false;
    listener_.line(line_);
    line_.clear();
  }
  line_ += bytes;
  return line_.size() <= longest_;
}

void LinePipe::close() {
  if (reader_) loop_->unwatch(reader_.borrow());
  reader_.reset();
  line_.clear();
}

}  // namespace trainit::sys
