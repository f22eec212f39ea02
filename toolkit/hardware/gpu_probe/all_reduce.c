#include "steps.h"

enum { kMicroseconds = 100000 };

static struct {
  NcclGetVersion* version;
  NcclInitAll* init_all;
  NcclAllReduce* all_reduce;
  NcclGroup *begin_group, *end_group;
  NcclEndCommunicator *destroy, *abort;
  NcclErrorString* error_string;
  NcclLastError* last_error;  // null: it is older than 2.13
} nccl;

static struct ncclComm* communicators[kMostGpus];
static CudaPointer from[kMostGpus], to[kMostGpus];

struct Sum {
  struct Gpu* gpus;
  int count;
  unsigned long long numbers;
};

static struct Trouble nccl_trouble(const char* call, NcclResult code) {
  struct Trouble trouble = {call, code, nccl.error_string(code), 0};
  if (nccl.last_error != 0) trouble.message = nccl.last_error(0);
  return trouble;
}

#define TRY_NCCL(function, expression)                    \
  do {                                                    \
    const NcclResult code_ = (expression);                \
    if (code_ != 0) return nccl_trouble(function, code_); \
  } while (0)

static struct Trouble load(const char* path) {
  const char* const usual = "libnccl.so.2";
  const char* const first = path == 0 ? usual : path;
  void* library = dlopen(first, kBindNow);
  if (library == 0) library = dlopen(usual, kBindNow);
  // Once more, because the next call of the loader forgets the message of the one before.
  if (library == 0) library = dlopen(first, kBindNow);
  struct Trouble trouble = {"dlopen", 0, 0, 0};
  if (library == 0) {
    trouble.message = dlerror();
    return trouble;
  }
  const struct {
    const char* name;
    void** function;
  } wanted[] = {
      {"ncclGetVersion", (void**)&nccl.version},
      {"ncclCommInitAll", (void**)&nccl.init_all},
      {"ncclAllReduce", (void**)&nccl.all_reduce},
      {"ncclGroupStart", (void**)&nccl.begin_group},
      {"ncclGroupEnd", (void**)&nccl.end_group},
      {"ncclCommDestroy", (void**)&nccl.destroy},
      {"ncclCommAbort", (void**)&nccl.abort},
      {"ncclGetErrorString", (void**)&nccl.error_string},
  };
  trouble.call = "dlsym";
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; ++i) {
    trouble.message = wanted[i].name;
    *wanted[i].function = dlsym(library, wanted[i].name);
    if (*wanted[i].function == 0) return trouble;
  }
  *(void**)&nccl.last_error = dlsym(library, "ncclGetLastError");
  return kNoTrouble;
}

static struct Trouble once(const struct Gpu* gpu, void* what) {
  const struct Sum* const sum = what;
  (void)gpu;
  TRY_NCCL("ncclGroupStart", nccl.begin_group());
  for (int i = 0; i < sum->count; ++i) {
    TRY_NCCL("ncclAllReduce",
             nccl.all_reduce((const void*)from[i], (void*)to[i], sum->numbers, kNcclFloat, kNcclSum,
                             communicators[i], sum->gpus[i].stream));
  }
  TRY_NCCL("ncclGroupEnd", nccl.end_group());
  return kNoTrouble;
}

static struct Trouble fill_all(const struct Sum* sum) {
  for (int i = 0; i < sum->count; ++i) {
    const struct Gpu* const gpu = &sum->gpus[i];
    unsigned long long numbers = sum->numbers;
    unsigned int line = (unsigned int)i;
    void* parameters[] = {&from[i], &numbers, &line};
    TRY_CUDA("cuCtxSetCurrent", cuda.set_current(gpu->context));
    TRY_CUDA("cuMemAlloc", cuda.allocate(&from[i], numbers * sizeof(float)));
    TRY_CUDA("cuMemAlloc", cuda.allocate(&to[i], numbers * sizeof(float)));
    TRY_STEP(launch(gpu, kFill, 0, 0, parameters));
  }
  return kNoTrouble;
}

static struct Trouble check_all(const struct Sum* sum, struct Measure* measure) {
  for (int i = 0; i < sum->count; ++i) {
    const struct Gpu* const gpu = &sum->gpus[i];
    unsigned long long numbers = sum->numbers, found = 0;
    unsigned int first = 0, lines = (unsigned int)sum->count;
    CudaPointer wrong = gpu->wrong;
    void* parameters[] = {&to[i], &numbers, &first, &lines, &wrong};
    TRY_CUDA("cuCtxSetCurrent", cuda.set_current(gpu->context));
    TRY_STEP(clear_wrong(gpu));
    TRY_STEP(launch(gpu, kCheckSum, 0, 0, parameters));
    TRY_STEP(read_wrong(gpu, &found));
    TRY_CUDA("cuMemFree", cuda.free(from[i]));
    TRY_CUDA("cuMemFree", cuda.free(to[i]));
    measure->wrong += found;
    measure->checked += numbers;
  }
  return kNoTrouble;
}

static struct Trouble add_up(struct Sum* sum, struct Measure* measure) {
  unsigned int rounds = 0;
  TRY_STEP(fill_all(sum));
  for (int i = 0; i < sum->count; ++i) {
    TRY_CUDA("cuStreamSynchronize", cuda.synchronize_stream(sum->gpus[i].stream));
  }
  TRY_CUDA("cuCtxSetCurrent", cuda.set_current(sum->gpus[0].context));
  TRY_STEP(take_time(&sum->gpus[0], once, sum, kMicroseconds, &measure->nanoseconds, &rounds));
  measure->of = "bytes";
  measure->amount = sum->numbers * sizeof(float);
  return check_all(sum, measure);
}

static size_t fitting_all(const struct Gpu* gpus, int count) {
  size_t bytes = fitting(&gpus[0], (size_t)1 << 18, (size_t)1 << 28);
  for (int i = 1; i < count; ++i) {
    const size_t theirs = fitting(&gpus[i], (size_t)1 << 18, (size_t)1 << 28);
    if (theirs < bytes) bytes = theirs;
  }
  return bytes;
}

struct Trouble measure_all_reduce(struct Gpu* gpus, int count, const char* library,
                                  struct Measure* measure, int* version) {
  int devices[kMostGpus];
  struct Sum sum = {gpus, count, fitting_all(gpus, count) / sizeof(float)};
  if (sum.numbers == 0) return no_room();
  TRY_STEP(load(library));
  TRY_NCCL("ncclGetVersion", nccl.version(version));
  for (int i = 0; i < count; ++i) devices[i] = gpus[i].ordinal;
  TRY_NCCL("ncclCommInitAll", nccl.init_all(communicators, count, devices));
  const struct Trouble trouble = add_up(&sum, measure);
  for (int i = 0; i < count; ++i) {
    if (trouble.call == 0) {
      nccl.destroy(communicators[i]);
    } else {
      nccl.abort(communicators[i]);
    }
  }
  return trouble;
}
