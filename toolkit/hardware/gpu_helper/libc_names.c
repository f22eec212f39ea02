// Stands for libc.so.6 when the helper is linked; see libc_api.h. Never run.
#define NAME(function) \
  void function(void); \
  void function(void) {}

NAME(write)
NAME(_exit)
NAME(poll)
NAME(gettimeofday)
NAME(dup)
NAME(dup2)
NAME(dprintf)
NAME(strlen)
NAME(strcmp)
NAME(strstr)
NAME(memcpy)
NAME(memset)
NAME(__libc_start_main)
