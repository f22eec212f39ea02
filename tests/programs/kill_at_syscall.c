// kill_at_syscall: kills a program as it enters its N-th system call, counted over all calls.
//
//   kill_at_syscall REPORT N init|child PROGRAM [ARGUMENT]…
//
// The program is process 1 of a pid namespace of its own (init), or a usual child. Only this
// process is counted and killed, none that it starts; the call at which it is killed has no effect
// any more. REPORT becomes "killed at call NUMBER", or "ended, calls made: COUNT" when those are
// fewer than N. Ends with the program's own code, or 128 + n.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void need(int ok, const char* what) {
  if (ok) return;
  perror(what);
  _exit(2);
}

static void run(char** argv, int init) {
  if (init) {
    need(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "mount");
    need(mount("proc", "/proc", "proc", 0, NULL) == 0, "mount /proc");
  }
  need(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0, "ptrace");
  execvp(argv[0], argv);
  need(0, argv[0]);
}

static void report(const char* path, const char* what, unsigned long number) {
  FILE* file = fopen(path, "w");
  need(file != NULL, path);
  fprintf(file, "%s %lu\n", what, number);
  fclose(file);
}

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  const unsigned long wanted = strtoul(argv[2], NULL, 10);
  const int init = strcmp(argv[3], "init") == 0;
  if (init) need(unshare(CLONE_NEWPID | CLONE_NEWNS) == 0, "unshare");
  const pid_t pid = fork();
  need(pid >= 0, "fork");
  if (pid == 0) run(argv + 4, init);

  int status = 0;
  // Its exec stops it first; one that failed before has said why.
  if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) return 2;
  need(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0,
       "ptrace options");
  unsigned long count = 0;
  long signal = 0;
  for (;;) {
    // It may have been killed meanwhile, and then only the wait tells.
    ptrace(PTRACE_SYSCALL, pid, NULL, signal);
    need(waitpid(pid, &status, 0) == pid, "waitpid");
    if (!WIFSTOPPED(status)) break;
    signal = WSTOPSIG(status);
    if (signal != (SIGTRAP | 0x80)) continue;  // a signal of its own, which it is given
    signal = 0;
    struct __ptrace_syscall_info info;
    need(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0, "ptrace info");
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY || ++count != wanted) continue;
    kill(pid, SIGKILL);
    report(argv[1], "killed at call", (unsigned long)info.entry.nr);
  }
  if (wanted == 0 || count < wanted) report(argv[1], "ended, calls made:", count);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
