#include "sys/inheritance.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "sys/files.h"
#include "sys/posix.h"

namespace trainit::sys {
namespace {

/// Descriptors are as good as never numbered beyond it, and each number costs a system call.
constexpr rlim_t kMostWithoutProc = 65'536;

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

/// Every descriptor has a smaller number, unless its limit was lowered after it was opened.
int numbers_in_use() {
  rlimit limit = {};
  const bool known = ::getrlimit(RLIMIT_NOFILE, &limit) == 0;
  return static_cast<int>(known ? std::min(limit.rlim_cur, kMostWithoutProc) : kMostWithoutProc);
}

void fill_standard_streams() {
  for (int fd = 0; fd < 3; ++fd) {
    if (is_open(fd)) continue;
    UniqueFd opened = open_nothing();
    if (opened.get() == fd) {
      ::fcntl(opened.release(), F_SETFD, 0);
    } else if (opened) {
      ::dup2(opened.get(), fd);
    }
  }
}

}  // namespace

std::vector<int> open_descriptors() {
  std::vector<int> found;
  if (const auto names = list_directory("/proc/self/fd")) {
    for (const std::string& name : *names) {
      const auto fd = parse_number<int>(name);
      if (fd && is_open(*fd))
        found.push_back(*fd);  // the listing's own descriptor is closed by now
    }
    return found;
  }
  const int count = numbers_in_use();
  for (int fd = 0; fd < count; ++fd) {
    if (is_open(fd)) found.push_back(fd);
  }
  return found;
}

void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  bool closed = true;
  unsigned first = 3;
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number > first) closed = posix::close_range(first, number - 1, 0) == 0 && closed;
    first = std::max(first, number + 1);
  }
  closed = posix::close_range(first, ~0U, 0) == 0 && closed;
  if (closed) return;
  // Linux before 5.9, and sandboxes that do not know the call, want each closed by itself.
  for (const int fd : open_descriptors()) {
    if (fd > 2 && !std::binary_search(kept.begin(), kept.end(), fd)) posix::close(fd);
  }
}

Inheritance take_inheritance() {
  Inheritance inheritance;
  inheritance.signals = take_over_signals();
  for (const int fd : open_descriptors()) {
    if (fd > 2) inheritance.descriptors.emplace_back(fd);
  }
  ::getrlimit(RLIMIT_NOFILE, &inheritance.open_files);
  fill_standard_streams();
  return inheritance;
}

}  // namespace trainit::sys
