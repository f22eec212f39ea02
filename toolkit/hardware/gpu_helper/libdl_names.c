// Stands for libdl.so.2 when the helper is linked; see libc_api.h. Never run.
#define NAME(function) \
  void function(void); \
  void function(void) {}

NAME(dlopen)
NAME(dlsym)
NAME(dlerror)
