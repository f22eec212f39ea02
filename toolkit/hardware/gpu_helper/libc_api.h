// The functions of the C library that the helper calls. They are declared here and not taken from
// the build machine's headers, and linked with libraries of ours that only name them
// (libc_names.c, libdl_names.c): references without a symbol version bind to the oldest version
// that the image's glibc has, so that the same few bytes run with every glibc since 2.2.5.
#pragma once

typedef __SIZE_TYPE__ size_t;
struct TimeOfDay {
  long seconds, microseconds;  // struct timeval
};

long write(int fd, const void* bytes, size_t count);
void _exit(int code) __attribute__((noreturn));
int poll(void* descriptors, unsigned long count, int milliseconds);
int gettimeofday(struct TimeOfDay* now, void* unused);
size_t strlen(const char* text);
char* strstr(const char* text, const char* part);
void* memcpy(void* to, const void* from, size_t count);  // by the compiler's own choice
void* memset(void* to, int byte, size_t count);          // by the compiler's own choice

enum { kBindNow = 2 };  // RTLD_NOW
void* dlopen(const char* name, int flags);
void* dlsym(void* library, const char* name);
char* dlerror(void);
