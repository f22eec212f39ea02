// The launcher that is loaded, seen from outside.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>

namespace hosts_load {

// Ends the program with 1, and the sentence on stderr.
[[noreturn]] void fail(const std::string& sentence);
// Fails with the sentence and errno.
inline void need(bool well, const std::string& what) {
  if (!well) fail(what + ": " + std::strerror(errno));
}

// Seconds of the monotonic clock.
double now();

class Leader {
 public:
  explicit Leader(int pid);

  double cpu_seconds() const;  // of all its threads, but not of its workers
  std::int64_t resident_bytes() const { return bytes_of("VmRSS:"); }
  std::int64_t peak_bytes() const { return bytes_of("VmHWM:"); }

 private:
  std::int64_t bytes_of(const std::string& key) const;

  clockid_t cpu_clock_{};
  std::string status_file_;
};

}  // namespace hosts_load
