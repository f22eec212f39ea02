// The functions of the C library that the helper and the probe call. They are declared here and not taken from
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
int dup(int fd);
int dup2(int fd, int to);
int dprintf(int fd, const char* format, ...) __attribute__((format(printf, 2, 3)));
size_t strlen(const char* text);
int strcmp(const char* one, const char* other);
char* strstr(const char* text, const char* part);
void* memcpy(void* to, const void* from, size_t count);  // by the compiler's own choice
void* memset(void* to, int byte, size_t count);          // by the compiler's own choice

/// Prepares the process as for any program, and gives `program`'s return value to exit(). Empty
/// hooks are passed over by every glibc.
int __libc_start_main(int (*program)(int, char**, char**), int argc, char** argv,
                      void (*begin)(void), void (*end)(void), void (*loader_end)(void),
                      void* stack_end) __attribute__((noreturn));

enum { kBindNow = 2 };  // RTLD_NOW
void* dlopen(const char* name, int flags);
void* dlsym(void* library, const char* name);
char* dlerror(void);
