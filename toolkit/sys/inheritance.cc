#include "sys/inheritance.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/text.h"
#include "sys/files.h"

namespace trainit::sys {
namespace {

constexpr int kMostWithoutProc = 1024;

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

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
  for (int fd = 0; fd < kMostWithoutProc; ++fd) {
    if (is_open(fd)) found.push_back(fd);
  }
  return found;
}

/// Something to read that is at its end, or to write that goes nowhere, also where there is no
/// /dev.
int open_nothing() {
  const int null = ::open("/dev/null", O_RDWR);
  if (null >= 0) return null;
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  ::close(ends[1]);
  return ends[0];
}

void fill_standard_streams() {
  for (int fd = 0; fd < 3; ++fd) {
    if (is_open(fd)) continue;
    const int opened = open_nothing();
    if (opened >= 0 && opened != fd) {
      ::dup2(opened, fd);
      ::close(opened);
    }
  }
}

}  // namespace

Inheritance take_inheritance() {
  Inheritance inheritance;
  inheritance.signals = take_over_signals();
  for (const int fd : open_descriptors()) {
    if (fd > 2) inheritance.descriptors.emplace_back(fd);
  }
  fill_standard_streams();
  return inheritance;
}

}  // namespace trainit::sys
