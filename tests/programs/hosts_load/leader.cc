#include "leader.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace hosts_load {
namespace {

double seconds_of(clockid_t clock) {
  timespec time{};
  need(clock_gettime(clock, &time) == 0, "the clock");
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

void fail(const std::string& sentence) {
  std::fprintf(stderr, "hosts_load: %s\n", sentence.c_str());
  std::exit(1);
}

double now() { return seconds_of(CLOCK_MONOTONIC); }

Leader::Leader(int pid) : status_file_("/proc/" + std::to_string(pid) + "/status") {
  errno = clock_getcpuclockid(pid, &cpu_clock_);
  need(errno == 0, "the leader's CPU clock");
}

double Leader::cpu_seconds() const { return seconds_of(cpu_clock_); }

std::int64_t Leader::bytes_of(const std::string& key) const {
  std::ifstream file(status_file_);
  for (std::string word; file >> word;)
    if (std::int64_t kib = 0; word == key && file >> kib) return kib * 1024;
  fail("no " + key + " in " + status_file_);
}

}  // namespace hosts_load
