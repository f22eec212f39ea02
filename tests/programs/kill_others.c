// kill_others N PROGRAM…: the least that it takes to tell N - 1 processes of the end of one. Each
// has its RANK, as a launcher would set it.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  static pid_t pids[4096];
  const int count = argc < 3 ? 0 : atoi(argv[1]);
  if (count < 1 || count > 4096) return 2;
  for (int rank = 0; rank < count; ++rank) {
    if ((pids[rank] = fork()) != 0) continue;
    char text[16];
    snprintf(text, sizeof text, "%d", rank);
    setenv("RANK", text, 1);
    execv(argv[2], argv + 2);
    _exit(127);
  }
  const pid_t ended = wait(NULL);
  for (int rank = 0; rank < count; ++rank) {
    if (pids[rank] != ended) kill(pids[rank], SIGTERM);
  }
  while (wait(NULL) > 0) continue;
  return 1;
}
