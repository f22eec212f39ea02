// stop_clock FILE WORKERS [DIES]: when one of several workers dies, and when the others are told.
//
// The worker whose RANK is DIES, 0 if nothing is said, waits until all others are there, lets the
// launcher come to rest, and dies. Each writes the CLOCK_MONOTONIC of its death, or of the SIGTERM
// that it got, in nanoseconds into its place in FILE.
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct board {
  _Atomic int there;
  long long at[4096];  // by rank
};

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void pause_ms(long milliseconds) {
  const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, NULL);
}

int main(int argc, char** argv) {
  const char* rank = getenv("RANK");
  if (argc < 3 || rank == NULL) return 2;
  const int dies = argc > 3 ? atoi(argv[3]) : 0;
  const int file = open(argv[1], O_RDWR | O_CREAT, 0644);
  if (file < 0 || ftruncate(file, sizeof(struct board)) != 0) return 2;
  struct board* board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (board == MAP_FAILED) return 2;
  if (atoi(rank) == dies) {
    while (board->there < atoi(argv[2]) - 1) pause_ms(1);
    pause_ms(300 + now() / 1000 % 100);  // no launcher's polling may fall in step with us
    board->at[dies] = now();
    _exit(3);
  }
  sigset_t terminate;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  sigprocmask(SIG_BLOCK, &terminate, NULL);
  ++board->there;
  if (sigwaitinfo(&terminate, NULL) != SIGTERM) return 2;
  board->at[atoi(rank)] = now();
  return 0;
}
