#include "steps.h"

enum { kFirst = 1, kSecond = 2, kMicroseconds = 50000 };

struct Triad {
  CudaPointer a, b, to;
  unsigned long long count;  // of numbers
};

static struct Trouble fill(const struct Gpu* gpu, CudaPointer to, unsigned long long count,
                           unsigned int line) {
  void* parameters[] = {&to, &count, &line};
  return launch(gpu, kFill, 0, 0, parameters);
}

static struct Trouble once(const struct Gpu* gpu, void* what) {
  struct Triad* const triad = what;
  unsigned long long quads = triad->count / 4;
  void* parameters[] = {&triad->a, &triad->b, &triad->to, &quads};
  return launch(gpu, kTriad, 0, 0, parameters);
}

static struct Trouble check(const struct Gpu* gpu, struct Triad* triad) {
  unsigned int first = kFirst, second = kSecond;
  CudaPointer wrong = gpu->wrong;
  void* parameters[] = {&triad->to, &triad->count, &first, &second, &wrong};
  return launch(gpu, kCheckTriad, 0, 0, parameters);
}

struct Trouble measure_memory(struct Gpu* gpu, struct Measure* measure) {
  const size_t bytes = fitting(gpu, (size_t)1 << 18, (size_t)1 << 28);
  struct Triad triad = {0, 0, 0, bytes / sizeof(float)};
  unsigned int rounds = 0;
  if (bytes == 0) return no_room();
  TRY_CUDA("cuCtxSetCurrent", cuda.set_current(gpu->context));
  TRY_CUDA("cuMemAlloc", cuda.allocate(&triad.a, bytes));
  TRY_CUDA("cuMemAlloc", cuda.allocate(&triad.b, bytes));
  TRY_CUDA("cuMemAlloc", cuda.allocate(&triad.to, bytes));
  TRY_STEP(fill(gpu, triad.a, triad.count, kFirst));
  TRY_STEP(fill(gpu, triad.b, triad.count, kSecond));
  TRY_STEP(take_time(gpu, once, &triad, kMicroseconds, &measure->nanoseconds, &rounds));
  TRY_STEP(clear_wrong(gpu));
  TRY_STEP(check(gpu, &triad));
  TRY_STEP(read_wrong(gpu, &measure->wrong));
  measure->of = "bytes";
  measure->amount = 3ull * bytes;
  measure->checked = triad.count;
  TRY_CUDA("cuMemFree", cuda.free(triad.a));
  TRY_CUDA("cuMemFree", cuda.free(triad.b));
  TRY_CUDA("cuMemFree", cuda.free(triad.to));
  return kNoTrouble;
}
