// drain: reads stdin to its end, and prints how many bytes came, and in how many nanoseconds from
// the first to the last of them.
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(void) {
  static char buffer[65536];
  long long bytes = 0, first = 0, last = 0;
  for (ssize_t count; (count = read(0, buffer, sizeof buffer)) > 0; bytes += count) {
    last = now();
    if (bytes == 0) first = last;
  }
  printf("%lld %lld\n", bytes, last - first);
  return 0;
}
