// deny_syscalls: runs a program for which some system calls fail, as a container's seccomp profile
// or an old kernel would have it.
//
//   deny_syscalls ERRNO NUMBER,NUMBER… PROGRAM [ARGUMENT]…
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MOST_CALLS 32

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const unsigned error = (unsigned)atoi(argv[1]);
  struct sock_filter filter[2 * MOST_CALLS + 2];
  unsigned short size = 0;
  filter[size++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (char* number = strtok(argv[2], ","); number != NULL; number = strtok(NULL, ",")) {
    if (size + 3 > (int)(sizeof filter / sizeof *filter)) return 2;
    filter[size++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(number), 0, 1);
    filter[size++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
  }
  filter[size++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {size, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    perror("deny_syscalls");
    return 2;
  }
  execv(argv[3], argv + 3);
  perror(argv[3]);
  return 2;
}
