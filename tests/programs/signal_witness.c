// signal_witness: prints which signals reach it.
//
//   signal_witness [-c] [-e] [-i NAME]… [-x CODE] [-z]
//
// The program itself is the "leader"; -c adds a "child" in its process group, -e an "escapee": a
// grandchild whose parent is gone and that leads a session of its own. Each prints "NAME ready PID"
// and then "NAME got N" for each signal. At SIGTERM and SIGINT each exits, the leader with CODE
// (0); those that -i names go on. With -z SIGTSTP stops them, as it does most programs.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char* ignoring[8];
static int ignoring_count;
static sigset_t watched;

static int ignores(const char* name) {
  for (int i = 0; i < ignoring_count; ++i) {
    if (strcmp(ignoring[i], name) == 0) return 1;
  }
  return 0;
}

static void say(const char* name, const char* what, int number) {
  char line[64];
  const int size = snprintf(line, sizeof line, "%s %s %d\n", name, what, number);
  if (write(1, line, (size_t)size) != size) _exit(111);
}

static void witness(const char* name, int code) {
  say(name, "ready", getpid());
  for (;;) {
    const int number = sigwaitinfo(&watched, NULL);
    if (number <= 0 || number == SIGCHLD) continue;
    say(name, "got", number);
    if ((number == SIGTERM || number == SIGINT) && !ignores(name)) _exit(code);
  }
}

static void fork_child(void) {
  const pid_t pid = fork();
  if (pid < 0) _exit(112);
  if (pid == 0) witness("child", 0);
}

static void fork_escapee(void) {
  const pid_t pid = fork();
  if (pid < 0) _exit(112);
  if (pid != 0) return;
  setsid();
  if (fork() == 0) witness("escapee", 0);
  _exit(0);
}

int main(int argc, char** argv) {
  int child = 0, escapee = 0, code = 0, option;
  // Before anything is printed: from "ready" on no signal may be lost.
  sigfillset(&watched);
  sigprocmask(SIG_BLOCK, &watched, NULL);
  while ((option = getopt(argc, argv, "cei:x:z")) != -1) {
    if (option == 'c') child = 1;
    if (option == 'e') escapee = 1;
    if (option == 'x') code = atoi(optarg);
    if (option == 'i' && ignoring_count < 8) ignoring[ignoring_count++] = optarg;
    if (option == 'z') {
      sigdelset(&watched, SIGTSTP);
      sigprocmask(SIG_SETMASK, &watched, NULL);
    }
    if (option == '?') return 2;
  }
  if (child) fork_child();
  if (escapee) fork_escapee();
  witness("leader", code);
}
