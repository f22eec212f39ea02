// Stands for libc.so.6 when the helper is linked; see libc_api.h. Never run.
#define NAME(function) \
  void function(void); \
  void function(void) {}

NAME(write)
NAME(_exit)
NAME(poll)
NAME(gettimeofday)
NAME(strlen)
NAME(strstr)
NAME(memcpy)
NAME(memset)
